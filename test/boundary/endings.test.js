// Invariant: however long a computation takes, the end of its process or worker does not wait for it; and who listens for the end is
// still heard.
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { run } from '../native/programs/run.js';

const LONG = fileURLToPath(new URL('./programs/long.js', import.meta.url));
const CRASH = /terminate called|FATAL|Segmentation|core dumped|Aborted|Assertion/i;

async function ended(t, work, how, code) {
  const { code: got, signal, output, seconds } = await run(LONG, work, how);
  t.is(signal, null, output);
  t.is(got, code, output);
  t.notRegex(output, CRASH);
  t.notRegex(output, /the work (was done|failed)/);
  return { output, seconds };
}

for (const work of ['rounds', 'one call']) {
  for (const [how, code] of [
    ['exit', 7],
    ['uncaught', 1],
  ]) {
    test.serial(`${how} beside ${work} of many seconds`, async (t) => {
      const { output, seconds } = await ended(t, work, how, code);
      t.regex(output, new RegExp(`a last word at ${code}`));
      // Below one second on a machine that has one to itself; the computation takes several times as long as this on any.
      t.true(seconds < 2.5, `took ${seconds} s`);
      t.log(`${seconds.toFixed(2)} s`);
    });
  }
}

for (const [how, code] of [
  ['worker: main exits', 7],
  ['worker: terminated', 0],
]) {
  test.serial(`rounds of many seconds in a ${how}`, async (t) => {
    const { seconds } = await ended(t, 'rounds', how, code);
    t.true(seconds < 2.5, `took ${seconds} s`);
    t.log(`${seconds.toFixed(2)} s`);
  });
}
