// Embedding by the native core, as the TypeScript interface calls it.
import { existsSync, readFileSync } from 'node:fs';
import { isServed, readModel } from '../../../lib/api/model-file.js';
import { loadNative } from '../../../lib/internal/load.js';
import { writeNpy } from '../npy.mjs';

/** @param given `resident`: so many calls in a row over tiles in the device's memory, instead of one from the host's to the host's. */
export async function openTask({ weights, tiles, batch, threads, device, precision, reference, resident }) {
  const native = await loadNative();
  native.setThreads(threads);
  const { info, specs, data } = await readModel(weights, isServed);
  const model = { size: info.size, latent: info.latent, tileSize: info.tileSize };
  const embedder = new native.Embedder({ model, device, precision, seed: 0 });
  const opened = await embedder.open(specs, data);
  const pixels = readFileSync(tiles).subarray(0, batch * info.tileSize ** 2 * 3);
  const run = () => embedder.embed(pixels, batch);
  const z = await run();
  await run();
  const about = {
    version: native.status().version,
    threads,
    device: opened.device,
    precision: opened.precision,
  };
  if (precision === 'fp32') {
    writeNpy(reference, z, [batch, info.latent]);
  } else if (existsSync(reference)) {
    about.cosine = leastCosine(z, readFileSync(reference), info.latent);
  }
  const dispose = () => embedder.dispose();
  if (resident === undefined) return { about, run, dispose };
  return {
    about,
    run: () => embedder.secondsResident(pixels, batch, resident),
    seconds: (one) => one,
    dispose,
  };
}

/** The least cosine of a row with its fp32 row, which lie at the end of the .npy file. */
function leastCosine(z, file, latent) {
  const bytes = Uint8Array.from(file.subarray(file.length - z.byteLength));
  const exact = new Float32Array(bytes.buffer);
  let least = 1;
  for (let row = 0; row < z.length; row += latent) {
    let [dot, a, b] = [0, 0, 0];
    for (let i = row; i < row + latent; i++) {
      dot += z[i] * exact[i];
      a += z[i] ** 2;
      b += exact[i] ** 2;
    }
    least = Math.min(least, dot / Math.sqrt(a * b));
  }
  return least;
}
