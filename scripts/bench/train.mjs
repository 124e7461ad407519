// The training step: forward, the four terms, backward, clipping, AdamW. Both sides get the same tiles as both views, and render nothing.
import { join } from 'node:path';
import { FOLDER, trainOptions } from './inputs.mjs';
import { decoderOperations, encoderOperations } from './operations.mjs';
import { contest } from './rounds.mjs';
import { lineOf, rowOf } from './rows.mjs';

/** AdamW's first steps move a weight by the learning rate however small its gradient: rounding is felt in the second step's terms. */
const TOLERANCE = 1e-3;
const CHECKED_STEPS = 2;

export async function train(bench) {
  const { quick, threads, device, inputs } = bench;
  const cases = quick
    ? [{ size: 'tiny', tileSize: 96, batch: 8 }]
    : device === 'cpu'
      ? [
          { size: 'tiny', tileSize: 128, batch: 32 },
          { size: 'base', tileSize: 128, batch: 8 },
        ]
      : [
          { size: 'tiny', tileSize: 224, batch: 128 },
          { size: 'base', tileSize: 224, batch: 64 },
        ];
  const precision = device === 'cpu' ? 'fp32' : 'bf16';
  const rows = [];
  for (const { size, tileSize, batch } of cases) {
    const name = `${size} ${tileSize} px batch ${batch}`;
    if (!bench.wants(name)) continue;
    const options = trainOptions({ model: { size, latent: inputs.latent(size), tileSize } });
    const given = {
      options,
      weights: await inputs.untrained(options),
      tiles: await inputs.tiles(batch, tileSize),
      tileSize,
      batch,
      threads,
      device,
      precision,
      checked: CHECKED_STEPS,
      reference: join(FOLDER, `train-${size}.npy`),
    };
    // Two views through the encoder, one through the decoder; backward costs as much again for the inputs and for the weights.
    const { weights } = given;
    const operations =
      3 * batch * (2 * encoderOperations(weights, tileSize) + decoderOperations(weights, tileSize));
    const kinds = [
      { name: 'PyTorch eager', rival: 'eager' },
      { name: 'PyTorch eager channels_last', rival: 'channels_last' },
    ].filter((_, i) => !quick || i === 1);
    const entrants = [
      { name: 'stainfold', contestant: bench.ours(), task: 'train', case: given },
      ...kinds.map(({ name: rival, rival: kind }) => ({
        name: rival,
        contestant: bench.python(),
        task: 'train',
        case: { ...given, rival: kind },
        unavailable: bench.missing('torch'),
        tolerance: precision === 'fp32' ? TOLERANCE : 0.05,
      })),
    ];
    const results = await contest([...entrants, bench.gemm(bench.python(), operations)], {
      rounds: quick ? 7 : 5,
      seconds: 0.5,
      onTurn: (who, what) => bench.progress(`train ${name}: ${who} ${what}`),
    });
    const row = rowOf(
      { name, size, batch, tileSize, unit: 'tiles', units: batch, threads, operations },
      results,
    );
    rows.push(row);
    bench.say(lineOf('train', row));
  }
  return rows;
}
