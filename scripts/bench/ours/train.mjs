// The training step of the native core.
import { readFileSync } from 'node:fs';
import { loadNative } from '../../../lib/internal/load.js';
import { writeNpy } from '../npy.mjs';

export async function openTask({
  options,
  tiles,
  tileSize,
  batch,
  threads,
  device,
  precision,
  checked,
  reference,
}) {
  const native = await loadNative();
  native.setThreads(threads);
  const trainer = new native.Trainer({ ...options, device, precision });
  const opened = await trainer.open();
  const pixels = readFileSync(tiles).subarray(0, batch * tileSize * tileSize * 3);
  const run = () => trainer.step(pixels, batch, null, null, null);
  const terms = [];
  for (let step = 0; step < checked; step++) {
    const { compaction, scatter, reconstruction, gradientNorm } = await run();
    terms.push(compaction, scatter, reconstruction, gradientNorm);
  }
  writeNpy(reference, Float32Array.from(terms), [checked, 4]);
  return {
    about: { version: native.status().version, threads, precision: opened.precision },
    run,
    dispose: () => trainer.dispose(),
  };
}
