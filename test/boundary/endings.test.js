// Invariant: however long a computation takes, the end of its process or worker does not wait for it; and who listens for the end is
// still heard.
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { run } from '../native/programs/run.js';

const LONG = fileURLToPath(new URL('./programs/long.js', import.meta.url));
const CRASH = /terminate called|FATAL|Segmentation|core dumped|Aborted|Assertion/i;

async function ended(t, work, how, code) {
  const { code: got, signal, output, startup, seconds } = await run(LONG, work, how);
  t.is(signal, null, output);
  t.is(got, code, output);
  t.notRegex(output, CRASH);
  t.notRegex(output, /the work (was done|failed)/);
  // A second, and where the machine is so busy that a start takes long, as much longer.
  t.true(seconds < 1 + 2 * startup, `took ${seconds} s, its start ${startup} s`);
  t.log(`${seconds.toFixed(2)} s; its start took ${startup.toFixed(2)} s`);
  return output;
}

for (const work of ['rounds', 'one call']) {
  for (const [how, code] of [
    ['exit', 7],
    ['uncaught', 1],
  ]) {
    test.serial(`${how} beside ${work} of many seconds`, async (t) => {
      const output = await ended(t, work, how, code);
      t.regex(output, new RegExp(`a last word at ${code}`));
    });
  }
}

for (const [how, code] of [
  ['worker: main exits', 7],
  ['worker: terminated', 0],
]) {
  test.serial(`rounds of many seconds in a ${how}`, async (t) => {
    await ended(t, 'rounds', how, code);
  });
}
