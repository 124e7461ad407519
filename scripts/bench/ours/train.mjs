// The training step of the native core.
import { readFileSync } from 'node:fs';
import { loadNative } from '../../../lib/internal/load.js';
import { writeNpy } from '../npy.mjs';

/** @param given `options`: of the steps that rivals are compared with, `checked` of them. `timed`: of those that are timed. */
export async function openTask(given) {
  const { tiles, tileSize, batch, threads, device, precision, checked, reference } = given;
  const native = await loadNative();
  native.setThreads(threads);
  const pixels = readFileSync(tiles).subarray(0, batch * tileSize * tileSize * 3);
  const open = async (options) => {
    const trainer = new native.Trainer({ ...options, device, precision });
    const opened = await trainer.open();
    return { trainer, precision: opened.precision, run: () => trainer.step(pixels, batch, null, null, null) };
  };
  const compared = await open(given.options);
  const terms = [];
  for (let step = 0; step < checked; step++) {
    const { compaction, scatter, reconstruction, gradientNorm } = await compared.run();
    terms.push(compaction, scatter, reconstruction, gradientNorm);
  }
  await compared.trainer.dispose();
  writeNpy(reference, Float32Array.from(terms), [checked, 4]);
  const { trainer, run, precision: used } = await open(given.timed);
  await run();
  return {
    about: { version: native.status().version, threads, precision: used },
    run,
    dispose: () => trainer.dispose(),
  };
}
