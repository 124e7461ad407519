import { monitorEventLoopDelay } from 'node:perf_hooks';
import test from 'ava';
import { openTrainer, pixels } from './fixtures.js';

/** 99th percentile of the event loop's delay, ms, while `work` is repeated for two seconds. */
async function delayWhile(work) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const end = performance.now() + 2000;
  while (performance.now() < end) await work();
  delay.disable();
  return delay.percentile(99) / 1e6;
}

test.serial('the event loop turns while steps run', async (t) => {
  const trainer = await openTrainer({ model: { size: 'tiny', latent: 16, tileSize: 64 } });
  const tiles = pixels(16, 1, 64);
  await trainer.step(tiles, 16, null, null);

  const idle = await delayWhile(() => new Promise((resolve) => setTimeout(resolve, 50)));
  const training = await delayWhile(() => trainer.step(tiles, 16, null, null));
  t.log(`p99 ${training.toFixed(1)} ms in training, ${idle.toFixed(1)} ms idle`);
  // What the machine does to an idle event loop is not the addon's.
  t.true(training < 20 + idle, `p99 is ${training} ms, idle ${idle} ms`);
  await trainer.dispose();
});

test.serial('a pending call keeps the process alive, an idle object does not', async (t) => {
  const { run } = await import('./programs/run.js');
  const { code, output } = await run('idle.js');
  t.is(code, 0, output);
  t.regex(output, /step 1 done/);
});
