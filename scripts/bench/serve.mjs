// stainfold as a contestant: answers the requests that python/serve.py describes.
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const TASKS = {
  embed: './ours/embed.mjs',
  facade: './ours/facade.mjs',
  loss: './ours/loss.mjs',
  stain: './ours/stain.mjs',
  train: './ours/train.mjs',
};

const memory = (name) =>
  1024 * Number(readFileSync('/proc/self/status', 'utf8').match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))[1]);

const replies = createWriteStream('', { fd: 3 });
let task;

const ANSWERS = {
  async open({ task: name, case: given }) {
    const { openTask } = await import(TASKS[name]);
    task = await openTask(given);
    return { about: task.about };
  },
  async turn({ seconds, most }) {
    const wall = [];
    const begun = performance.now();
    while (wall.length < most && (wall.length === 0 || performance.now() - begun < seconds * 1000)) {
      const start = performance.now();
      const result = await task.run();
      const whole = (performance.now() - start) / 1000;
      wall.push(task.seconds?.(result) ?? whole);
    }
    return { wall };
  },
  measure: (request) => task.measure(request),
  async peak() {
    writeFileSync('/proc/self/clear_refs', '5'); // the high-water mark begins anew
    const before = memory('VmRSS');
    const allocated = task.allocated?.(await task.run());
    return { bytes: allocated ?? Math.max(0, memory('VmHWM') - before) };
  },
  async close() {
    await task?.dispose();
    task = undefined;
    return {};
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let reply;
  try {
    reply = await ANSWERS[request.do](request);
  } catch (error) {
    console.error(error);
    reply = { error: error.message };
  }
  replies.write(`${JSON.stringify(reply)}\n`);
}
