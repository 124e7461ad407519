// The compaction loss of the native core, forward and backward.
import { readFileSync } from 'node:fs';
import { loadNative } from '../../../lib/internal/load.js';
import { writeNpy } from '../npy.mjs';

export async function openTask({ z: file, rows, columns, tiles, temperature, threads, device, reference }) {
  const native = await loadNative();
  native.setThreads(threads);
  const bytes = Uint8Array.from(readFileSync(file));
  const z = { data: new Float32Array(bytes.buffer), rows, columns };
  const options = { tiles, temperature, device, repeats: 1 };
  const run = () => native.losses.compaction(z, options);
  const { loss, gradient } = await run();
  writeNpy(reference.loss, Float32Array.of(loss), [1, 1]);
  writeNpy(reference.gradient, gradient, [rows, columns]);
  return {
    about: { version: native.status().version, threads },
    run,
    // Without the copies of z and its gradient, as the rivals are timed.
    seconds: ({ seconds: [only] }) => only,
    allocated: ({ allocatedPeak }) => (device === 'cpu' ? undefined : allocatedPeak),
    dispose: () => {},
  };
}
