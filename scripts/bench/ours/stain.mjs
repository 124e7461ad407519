// Stain normalisation by the native core: each tile fitted by itself, then all rendered, a batch at a time.
import { readFileSync } from 'node:fs';
import { loadNative } from '../../../lib/internal/load.js';
import { writeNpy } from '../npy.mjs';

export async function openTask({ method, tiles: file, tileSize, batch, threads, device, target, reference }) {
  const native = await loadNative();
  native.setThreads(threads);
  const options = {
    method,
    stains: 'he',
    clamp: 100,
    tissueOnly: false,
    device,
    sampledPixels: tileSize * tileSize,
  };
  const pixels = readFileSync(file).subarray(0, batch * tileSize * tileSize * 3);
  const tiles = { pixels, count: batch, height: tileSize, width: tileSize };
  const to = Float64Array.from(target);
  const run = async () => native.stain.normalize(options, tiles, await native.stain.fit(options, tiles), to);
  const { pixels: normalized, status } = await run();
  const passed = status.findIndex((value) => value !== 0);
  if (passed >= 0) throw new Error(`tile ${passed} was passed through: its status is ${status[passed]}`);
  writeNpy(reference, Float32Array.from(normalized), [batch, tileSize, tileSize, 3]);
  return { about: { version: native.status().version, threads }, run, dispose: () => {} };
}
