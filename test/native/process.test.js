// Invariant: however a process or a worker ends, it ends, quickly, with the exit code it asked for, and never by a signal.
import test from 'ava';
import { run } from './programs/run.js';

for (const ending of ['exit', 'exit-later', 'uncaught', 'rejection', 'dispose-and-exit', 'natural']) {
  // Serial: each measures a time.
  test.serial(`the process ends in mid-training: ${ending}`, async (t) => {
    const { code, signal, output, seconds } = await run('ending.js', ending);
    t.is(signal, null, output);
    t.is(code, { uncaught: 1, rejection: 1, natural: 0 }[ending] ?? 7, output);
    t.notRegex(output, /terminate called|FATAL|Segmentation|core dumped/i);
    // Two seconds, and on a machine so busy that a step of milliseconds takes long, a few steps: far below the 200 queued.
    const step = Number(output.match(/a step takes ([\d.]+) ms/)[1]) / 1000;
    t.true(seconds < 2 + 20 * step, `took ${seconds} s: ${output}`);
  });
}

test.serial(
  'workers: terminated in mid-training, exiting, and ending by themselves, many times',
  async (t) => {
    const { code, signal, output } = await run('workers.js');
    t.is(signal, null, output);
    t.is(code, 0, output);
    t.regex(output, /6 terminated, 2 exited with 5, 2 ended/);
  },
);
