// Invariant: however a process or a worker ends, it ends, quickly, with the exit code it asked for, and never by a signal.
import test from 'ava';
import { run } from './programs/run.js';

// A queued step takes milliseconds; what is left is the exit itself. Generous for a busy machine, and far below
// the steps that the programs queue.
const PROMPT = 2000;

for (const ending of ['exit', 'exit-later', 'uncaught', 'rejection', 'dispose-and-exit', 'natural']) {
  test(`the process ends in mid-training: ${ending}`, async (t) => {
    const { code, signal, output, seconds } = await run('ending.js', ending);
    t.is(signal, null, output);
    t.is(code, { uncaught: 1, rejection: 1, natural: 0 }[ending] ?? 7, output);
    t.true(seconds * 1000 < PROMPT, `took ${seconds} s after the call: ${output}`);
    t.notRegex(output, /terminate called|FATAL|Segmentation|core dumped/i);
  });
}

test('workers: terminated in mid-training, exiting, and ending by themselves, many times', async (t) => {
  const { code, signal, output } = await run('workers.js');
  t.is(signal, null, output);
  t.is(code, 0, output);
  t.regex(output, /6 terminated, 2 exited with 5, 2 ended/);
});
