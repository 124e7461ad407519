// stainfold as a contestant: answers the requests that python/serve.py describes.
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';

const TASKS = { embed: './ours-embed.mjs' };

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
      await task.run();
      wall.push((performance.now() - start) / 1000);
    }
    return { wall };
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
