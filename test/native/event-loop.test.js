import { monitorEventLoopDelay } from 'node:perf_hooks';
import test from 'ava';
import { openTrainer, pixels } from './fixtures.js';

/** 99th percentile of the event loop's delay, ms, while `work` is repeated for half a second. */
async function delayWhile(work) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const end = performance.now() + 500;
  while (performance.now() < end) await work();
  delay.disable();
  return delay.percentile(99) / 1e6;
}

test.serial('the event loop turns while steps run', async (t) => {
  const trainer = await openTrainer({ model: { size: 'tiny', latent: 16, tileSize: 64 } });
  const tiles = pixels(32, 1, 64);
  const step = () => trainer.step(tiles, 32, null, null);
  await step();
  const begun = performance.now();
  await step();
  const whole = performance.now() - begun;

  // A step that held up the loop would do so in every round; what else the machine runs does in some.
  const [idle, training] = [[], []];
  for (let round = 0; round < 5; round++) {
    idle.push(await delayWhile(() => new Promise((resolve) => setTimeout(resolve, 50))));
    training.push(await delayWhile(step));
  }
  const [least, quiet] = [Math.min(...training), Math.min(...idle)];
  t.log(
    `p99 ${least.toFixed(1)} ms in training, ${quiet.toFixed(1)} ms idle; a step takes ${whole.toFixed(0)} ms`,
  );
  t.true(
    least < Math.min(20, whole / 2) + quiet,
    `p99 is ${training} ms, idle ${idle} ms, a step ${whole} ms`,
  );
  await trainer.dispose();
});

test.serial('a pending call keeps the process alive, an idle object does not', async (t) => {
  const { run } = await import('./programs/run.js');
  const { code, output } = await run('idle.js');
  t.is(code, 0, output);
  t.regex(output, /step 1 done/);
});
