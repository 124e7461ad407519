// Invariant: trainers and encoders side by side, in one environment and in several, give to the bit what each gives alone.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { embedded, everything, trained } from './concurrent.js';
import { watchRejections } from './matrix.js';

watchRejections(test);

const alone = async (seed) => [
  await trained(seed),
  await embedded(seed),
  await trained(seed + 1),
  await embedded(seed + 1),
];

test.serial('several trainers and encoders in one process, one of them disposed meanwhile', async (t) => {
  const expected = await alone(1);
  t.is(new Set(expected).size, 4, 'seeds differ');
  t.deepEqual(await everything(1), expected);
});

test.serial(
  'the same in the main thread and in four workers at a time, one of which is terminated',
  async (t) => {
    const script = new URL('./concurrent.js', import.meta.url);
    const worker = async (seed) => {
      const running = new Worker(script, { workerData: { seed } });
      // On a busy machine both come in one turn of the event loop: listened to from the beginning.
      let result;
      running.on('message', (message) => {
        result = message;
      });
      const [code] = await once(running, 'exit');
      return { result, code };
    };
    const terminated = async () => {
      const running = new Worker(script, { workerData: { seed: 7 } });
      await once(running, 'online');
      await new Promise((done) => setTimeout(done, 300));
      return running.terminate();
    };
    const [here, ...there] = await Promise.all([
      everything(1),
      worker(1),
      worker(1),
      worker(3),
      terminated(),
    ]);
    const expected = await alone(1);
    t.deepEqual(here, expected);
    for (const { result, code } of there.slice(0, 2)) {
      t.is(code, 0);
      t.deepEqual(result, expected);
    }
    t.deepEqual(there[2].result, await alone(3));
  },
);
