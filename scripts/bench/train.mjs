// The training step: views rendered (or the tiles as they are), forward, the four terms, backward, clipping, AdamW.
import { join } from 'node:path';
import { FOLDER, trainOptions } from './inputs.mjs';
import { decoderOperations, encoderOperations } from './operations.mjs';
import { lineOf, rowOf } from './rows.mjs';

/** AdamW's first steps move a weight by the learning rate however small its gradient: rounding is felt in the second step's terms. */
const TOLERANCE = 5e-3;
const CHECKED_STEPS = 2;

export async function train(bench) {
  const { quick, brief, threads, device, inputs } = bench;
  const all = quick
    ? [{ size: 'tiny', tileSize: 96, batch: 8, rendered: true }]
    : device === 'cpu'
      ? [
          { size: 'tiny', tileSize: 128, batch: 32, rendered: true },
          { size: 'tiny', tileSize: 128, batch: 32, rendered: false },
          { size: 'base', tileSize: 128, batch: 8, rendered: true },
        ]
      : [
          { size: 'tiny', tileSize: 224, batch: 128, rendered: true },
          { size: 'base', tileSize: 224, batch: 64, rendered: true },
        ];
  const cases = brief ? all.slice(0, 1) : all;
  const precision = device === 'cpu' ? 'fp32' : 'bf16';
  const rows = [];
  for (const { size, tileSize, batch, rendered } of cases) {
    const name = `${size} ${tileSize} px batch ${batch}${rendered ? '' : ', views given'}`;
    if (!bench.wants(name)) continue;
    const options = trainOptions({
      model: { size, latent: inputs.latent(size), tileSize },
      ...(rendered && { strength: 0 }),
    });
    const given = {
      options,
      rendered,
      // What is timed renders as training does by default; what it draws cannot be compared, and is therefore checked at strength 0.
      timed: trainOptions({ model: options.model, ...(rendered && { strength: 1.5 }) }),
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
    const results = await bench.contest([...entrants, bench.gemm(bench.python(), operations)], {
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
