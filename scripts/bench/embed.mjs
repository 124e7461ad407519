// Embedding: uint8 tiles of 224 px in, float32 embeddings out, beside every rival and the machine's ceiling. On a GPU also of tiles that
// lie in its memory already, calls in a row: what it does when nothing has to be fetched.
import { join } from 'node:path';
import { FOLDER } from './inputs.mjs';
import { encoderBytes, encoderOperations } from './operations.mjs';
import { lineOf, rowOf } from './rows.mjs';

const TILE = 224;

const CPU = {
  quick: { sizes: ['tiny'], batches: [8] },
  full: { sizes: ['tiny', 'small', 'base'], batches: [1, 8, 64] },
  // For trying what runs on a GPU where there is none.
  brief: { sizes: ['tiny'], batches: [8], resident: [8] },
  rivals: [
    { name: 'PyTorch eager', rival: 'eager', full: true },
    { name: 'PyTorch eager channels_last', rival: 'channels_last' },
    { name: 'PyTorch traced, frozen, optimized', rival: 'frozen' },
    { name: 'torch.compile', rival: 'compile', full: true },
    { name: 'ONNX Runtime', rival: 'onnxruntime', group: 'onnxruntime' },
  ],
};

// Both sides in bf16 where they are said to be; the result is then compared by less.
const BF16 = { precision: 'bf16', tolerance: 0.05 };
const CUDA = {
  quick: { sizes: ['tiny'], batches: [8] },
  full: { sizes: ['base'], batches: [1, 64, 256], resident: [256] },
  // One shape, so that torch.compile tunes itself once.
  brief: { sizes: ['base'], batches: [256], resident: [256] },
  rivals: [
    { name: 'PyTorch eager fp32', rival: 'eager', precision: 'fp32' },
    { name: 'PyTorch eager bf16 channels_last', rival: 'channels_last', ...BF16 },
    { name: 'torch.compile max-autotune bf16', rival: 'compile', full: true, ...BF16 },
    { name: 'ONNX Runtime fp32', rival: 'onnxruntime', group: 'onnxruntime' },
  ],
};

/** Calls in a row over resident tiles: enough that starting and awaiting them weighs nothing. */
const CALLS = 8;

export async function embed(bench) {
  const { quick, brief, threads, inputs, device } = bench;
  const plan = device === 'cpu' ? CPU : CUDA;
  const { sizes, batches, resident = [] } = plan[quick ? 'quick' : brief ? 'brief' : 'full'];
  const kinds = [
    ...resident.map((batch) => ({ batch, resident: CALLS })),
    ...batches.map((batch) => ({ batch })),
  ];
  const ours = bench.ours();
  const gemm = bench.python('torch');
  const rivals = plan.rivals
    .filter(({ full }) => !(quick && full))
    .map(({ group = 'torch', ...rival }) => ({
      ...rival,
      contestant: bench.python(group),
      unavailable: bench.missing(group),
    }));
  const rows = [];
  for (const size of sizes) {
    const { model, onnx, latent } = await inputs.model(size, TILE);
    for (const { batch, resident } of kinds) {
      const name = `${size} batch ${batch}${resident ? ', in device memory' : ''}`;
      if (!bench.wants(name)) continue;
      const operations = encoderOperations(model, TILE) * batch;
      const given = {
        weights: model,
        onnx,
        tiles: await inputs.tiles(batch, TILE),
        tileSize: TILE,
        batch,
        threads,
        device,
        resident,
        reference: join(FOLDER, `embed-${size}-${batch}.npy`),
      };
      const timed = (precision) => ({ contestant: ours, task: 'embed', case: { ...given, precision } });
      const entrants = [
        // In fp32 first: it writes the reference that all others are compared with.
        { name: 'stainfold', ...timed('fp32') },
        ...(device === 'cpu' ? [] : [{ name: 'stainfold bf16', ...timed('bf16'), contestant: bench.ours() }]),
        bench.gemm(gemm, operations),
        ...rivals.map(({ name: rival, rival: kind, contestant, unavailable, tolerance, precision }) => ({
          name: rival,
          contestant,
          task: 'embed',
          case: { ...given, rival: kind, precision },
          unavailable,
          tolerance,
        })),
      ];
      const results = await bench.contest(entrants, {
        rounds: quick ? 7 : batch === 64 && size === 'base' ? 3 : 5,
        seconds: 0.25,
        onTurn: (who, what) => bench.progress(`embed ${name}: ${who} ${what}`),
      });
      // On a GPU the fp32 of ours was there for the reference: it is bf16 that competes.
      const row = rowOf(
        {
          name,
          size,
          batch,
          ...(resident && { resident }),
          tileSize: TILE,
          unit: 'tiles',
          units: batch,
          threads,
          operations,
          // Weights and pixels in, embeddings out; what lies between need not leave the caches.
          bytes: encoderBytes(model) + batch * (3 * TILE ** 2 + 4 * latent),
        },
        device === 'cpu' ? results : results.slice(1),
      );
      rows.push(row);
      bench.say(lineOf('embed', row));
    }
  }
  return rows;
}
