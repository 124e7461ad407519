// Stain normalisation, tile by tile fitted: torchstain's steps in PyTorch and NumPy, scikit-image's colours. On one core.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FOLDER } from './inputs.mjs';
import { lineOf, rowOf } from './rows.mjs';

const TILE = 256;
/** Methods that round at other places agree but for single grey levels: mean difference, as a share of 255. */
const TOLERANCE = 1 / 255;

const METHODS = [
  {
    method: 'macenko',
    rivals: [
      { name: "torchstain's steps, PyTorch", rival: 'macenko-torch', group: 'torch' },
      { name: "torchstain's steps, NumPy", rival: 'macenko-numpy', group: 'numpy', slow: true },
    ],
  },
  {
    method: 'reinhard',
    rivals: [
      { name: "torchstain's steps, PyTorch", rival: 'reinhard-torch', group: 'torch' },
      { name: 'scikit-image', rival: 'reinhard-skimage', group: 'skimage', full: true },
    ],
  },
];

export async function stain(bench) {
  const { quick, brief, device, native, inputs } = bench;
  const batch = quick ? 4 : device === 'cpu' ? 16 : 256;
  const methods = brief ? METHODS.slice(0, 1) : METHODS;
  const threads = 1;
  const tiles = await inputs.tiles(batch, TILE);
  const rows = [];
  for (const { method, rivals } of methods) {
    const name = `${method} ${TILE} px`;
    if (!bench.wants(name)) continue;
    const target = await targetOf(native, method, tiles);
    const given = {
      tiles,
      tileSize: TILE,
      batch,
      threads,
      device,
      target,
      method,
      means: target.slice(0, 3),
      deviations: target.slice(3),
      reference: join(FOLDER, `stain-${method}.npy`),
    };
    const entrants = [
      { name: 'stainfold', contestant: bench.ours({ threads }), task: 'stain', case: given },
      ...rivals
        // A brief run has no time for a second rival that takes tiles one after the other.
        .filter(({ full, slow }) => !((quick && full) || (brief && slow)))
        .map(({ name: rival, rival: kind, group }) => ({
          name: rival,
          contestant: bench.python(group, { threads }),
          task: 'stain',
          case: { ...given, rival: kind },
          unavailable: bench.missing(group),
          tolerance: TOLERANCE,
        })),
    ];
    // Read by the fit, read and written by the rendering: nothing less will do.
    const bytes = 9 * batch * TILE * TILE;
    const results = await bench.contest(
      [...entrants, bench.copy(bench.python('torch', { threads }), bytes, threads)],
      {
        rounds: 5,
        seconds: 0.25,
        onTurn: (who, what) => bench.progress(`stain ${name}: ${who} ${what}`),
      },
    );
    const row = rowOf(
      { name, method, batch, tileSize: TILE, unit: 'tiles', units: batch, threads, bytes },
      results,
    );
    rows.push(row);
    bench.say(lineOf('stain', row));
  }
  return rows;
}

/** What all normalise to: torchstain's published reference, or the first tile's own means and deviations, a little apart. */
async function targetOf(native, method, file) {
  if (method === 'macenko') return [...native.stain.published()];
  const tiles = {
    pixels: readFileSync(file).subarray(0, TILE * TILE * 3),
    count: 1,
    height: TILE,
    width: TILE,
  };
  const options = {
    method,
    stains: 'he',
    clamp: 100,
    tissueOnly: false,
    device: 'cpu',
    sampledPixels: TILE * TILE,
  };
  return [...(await native.stain.fit(options, tiles)).values];
}
