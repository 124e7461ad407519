// Embedding: uint8 tiles of 224 px in, float32 embeddings out, beside every rival and the machine's ceiling.
import { join } from 'node:path';
import { FOLDER } from './inputs.mjs';
import { operationsOf } from './operations.mjs';
import { contest } from './rounds.mjs';
import { ratio, spread } from './statistics.mjs';

const TILE = 224;

const RIVALS = [
  { name: 'PyTorch eager', rival: 'eager', group: 'torch' },
  { name: 'PyTorch eager channels_last', rival: 'channels_last', group: 'torch' },
  { name: 'PyTorch traced, frozen, optimized', rival: 'frozen', group: 'torch' },
  { name: 'torch.compile', rival: 'compile', group: 'torch', slow: true },
  { name: 'ONNX Runtime', rival: 'onnxruntime', group: 'onnxruntime' },
];

export async function embed(bench) {
  const { quick, threads, inputs } = bench;
  const sizes = quick ? ['tiny'] : ['tiny', 'small', 'base'];
  const batches = quick ? [8] : [1, 8, 64];
  const ours = bench.ours();
  const ceiling = bench.python();
  const chosen = RIVALS.filter(({ slow }) => !(quick && slow)).map((rival) => ({
    ...rival,
    contestant: bench.python(rival.group),
    unavailable: bench.missing(rival.group),
  }));
  const rows = [];
  for (const size of sizes) {
    const { model, onnx } = await inputs.model(size, TILE);
    const operations = operationsOf(model);
    for (const batch of batches) {
      if (!bench.wants(`${size} batch ${batch}`)) continue;
      const given = {
        weights: model,
        onnx,
        tiles: await inputs.tiles(batch, TILE),
        tileSize: TILE,
        batch,
        threads,
        device: bench.device,
        reference: join(FOLDER, `reference-${size}-${batch}.npy`),
      };
      const entrants = [
        { name: 'stainfold', contestant: ours, task: 'embed', case: { ...given, precision: 'fp32' } },
        {
          name: 'fp32 GEMM',
          contestant: ceiling,
          task: 'ceiling',
          case: { rival: 'gemm', n: 2048, threads },
          unavailable: bench.missing('torch'),
        },
        ...chosen.map(({ name, rival, contestant, unavailable }) => ({
          name,
          contestant,
          task: 'embed',
          case: { ...given, rival },
          unavailable,
        })),
      ];
      const results = await contest(entrants, {
        rounds: quick ? 7 : batch === 64 && size !== 'tiny' ? 3 : 5,
        seconds: 0.25,
        onTurn: (name, what) => bench.progress(`${size}, batch ${batch}: ${name} ${what}`),
      });
      const row = rowOf({ size, batch, operations: operations * batch, threads }, results);
      rows.push(row);
      bench.say(lineOf(row));
    }
  }
  return rows;
}

/** One case: figures of ours, of every rival with the ratio, and of the ceiling with our share of it. */
function rowOf({ size, batch, operations, threads }, [ours, gemm, ...others]) {
  if (ours.unavailable) throw new Error(`stainfold could not run: ${ours.unavailable}`);
  const figure = (result) => ({
    contestant: result.name,
    version: result.about.version,
    threads,
    seconds: spread(result.rounds),
    tilesPerSecond: batch / spread(result.rounds).median,
    rounds: result.rounds.length,
    repeats: result.repeats,
  });
  const rivals = others.map((result) =>
    result.unavailable
      ? { contestant: result.name, unavailable: result.unavailable }
      : {
          ...figure(result),
          difference: result.about.difference,
          ratio: ratio(ours.rounds, result.rounds),
        },
  );
  const row = { case: { size, batch, tileSize: TILE }, operations, ours: figure(ours), rivals };
  if (!gemm.unavailable) {
    const perSecond = gemm.rounds.map((seconds) => gemm.about.operations / seconds);
    row.ceiling = {
      name: 'fp32 GEMM',
      operationsPerSecond: spread(perSecond),
      share: spread(ours.rounds.map((seconds, round) => operations / seconds / perSecond[round])),
    };
  }
  return row;
}

function lineOf({ case: { size, batch }, ours, rivals, ceiling }) {
  const parts = rivals.map(({ contestant, ratio: times, unavailable }) =>
    unavailable ? `${contestant}: ${unavailable}` : `${contestant} ${times.median.toFixed(2)}`,
  );
  const share = ceiling ? `, ${(100 * ceiling.share.median).toFixed(0)} % of GEMM` : '';
  return `embed ${size} batch ${batch}: ${ours.tilesPerSecond.toFixed(1)} tiles/s${share}; times faster than ${parts.join(', ')}`;
}
