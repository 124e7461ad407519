import { monitorEventLoopDelay } from 'node:perf_hooks';
import test from 'ava';
import { addon, openTrainer, pixels } from './fixtures.js';

test('the event loop turns while steps run', async (t) => {
  const trainer = await openTrainer({ model: { size: 'tiny', latent: 16, tileSize: 64 } });
  const threads = addon.status().threads;
  // One core stays with the event loop: what is tested is that the addon leaves it free, not the scheduler.
  addon.setThreads(Math.max(1, threads - 1));
  const tiles = pixels(16, 1, 64);
  await trainer.step(tiles, 16, null, null);

  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = performance.now();
  let steps = 0;
  while (performance.now() - start < 2000) {
    await trainer.step(tiles, 16, null, null);
    steps++;
  }
  delay.disable();
  addon.setThreads(threads);
  const p99 = delay.percentile(99) / 1e6;
  const step = (performance.now() - start) / steps;
  t.log(`p99 ${p99.toFixed(1)} ms over ${steps} steps of ${step.toFixed(0)} ms`);
  t.true(delay.count > 100, 'the histogram must hold turns of the loop');
  t.true(p99 < 20, `p99 is ${p99} ms`);
  await trainer.dispose();
});

test('a pending call keeps the process alive, an idle object does not', async (t) => {
  const { run } = await import('./programs/run.js');
  const { code, output } = await run('idle.js');
  t.is(code, 0, output);
  t.regex(output, /step 1 done/);
});
