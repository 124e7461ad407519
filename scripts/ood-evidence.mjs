// Does the out-of-distribution score flag folds, pen, blur and foreign stains, and pass other labs? Trains (or takes) a model of
// one source, makes the faults on tiles of sources that it never saw, prints a table and writes it as JSON.
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  fitOutliers,
  generatePhantom,
  inspect,
  listTiles,
  loadEncoder,
  readTile,
  train,
} from '../lib/index.js';
import { loadNative } from '../lib/internal/load.js';
import { ARTEFACTS, randomNumbers } from '../test/data/artefacts.js';

const HELP = `node scripts/ood-evidence.mjs [options]

  --out FILE             the table as JSON (default: docs/results/ood.json)
  --tiles MANIFEST.csv   real tiles beside the phantom; then also
  --column NAME            its column of sources (default: site)
  --source VALUE           the source that is trained on
  --model FILE             a model of that source, instead of training one (it is given statistics where it has none)
  --foreign MANIFEST.csv   real tiles of another stain, to be flagged (optional)
  --phantom-model FILE   a model of phantom lab 0, instead of training one
  --most N               clean tiles of each unseen source (default: 200)
`;
const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: 'docs/results/ood.json' },
    tiles: { type: 'string' },
    column: { type: 'string', default: 'site' },
    source: { type: 'string' },
    model: { type: 'string' },
    foreign: { type: 'string' },
    'phantom-model': { type: 'string' },
    most: { type: 'string', default: '200' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const MOST = Number(options.most);
const TRAINING = { epochs: 15, batchSize: 32, seed: 1 };

/** At most `most` of the items, evenly spread. */
const spread = (items, most) =>
  items.length <= most
    ? items
    : Array.from({ length: most }, (_, i) => items[Math.floor((i * items.length) / most)]);
/** Tiles at the edge of a slide's region come filled up with black. */
const isPadded = ({ data }) => {
  let black = 0;
  for (let i = 0; i < data.length; i += 3) if (Math.max(data[i], data[i + 1], data[i + 2]) < 4) black++;
  return black > (0.02 * data.length) / 3;
};
const share = (flags) => flags.filter(Boolean).length / flags.length;
const round = (x) => Math.round(x * 1e4) / 1e4;

async function evidence(name, { model, sources, foreign }) {
  const native = await loadNative();
  const { info, tensors } = await inspect(model);
  if (!tensors.some(({ name }) => name === 'ood.centre')) throw new Error(`${model} holds no statistics`);
  const encoder = await loadEncoder(model);
  const unseen = {};
  const clean = [];
  const good = [];
  const padded = [];
  for (const [source, paths] of Object.entries(sources)) {
    const decoded = await Promise.all(spread(paths, MOST).map((path) => readTile(path, info.tileSize)));
    padded.push(...decoded.filter((tile) => isPadded(tile)));
    const whole = decoded.filter((tile) => !isPadded(tile));
    const scores = await encoder.score(whole);
    unseen[source] = { tiles: whole.length, flagged: round(share(scores.flagged)) };
    // A fold of glass is glass: faults are made on tiles with tissue, and compared with these.
    const tissue = Array.from(scores.stain, (distance) => !Number.isNaN(distance));
    clean.push(...scores.score.filter((_, i) => tissue[i]));
    good.push(...whole.filter((_, i) => tissue[i]));
  }
  const faults = {};
  const compare = (scores) => {
    const all = Float64Array.from([...scores.score, ...clean]);
    const positive = Uint8Array.from(all, (_, i) => Number(i < scores.p.length));
    const auroc = native.metrics.auroc(all, positive);
    const parts = {};
    for (const [i, part] of scores.part.entries())
      if (scores.flagged[i]) parts[part] = (parts[part] ?? 0) + 1;
    return { tiles: scores.p.length, auroc: round(auroc), flagged: round(share(scores.flagged)), parts };
  };
  const random = randomNumbers(7);
  for (const [fault, make] of Object.entries(ARTEFACTS)) {
    faults[fault] = compare(await encoder.score(good.map((tile) => make(tile, random))));
  }
  if (padded.length > 0) faults['black padding'] = compare(await encoder.score(padded));
  for (const [kind, paths] of Object.entries(foreign ?? {})) {
    faults[kind] = compare(await encoder.score(spread(paths, MOST)));
  }
  await encoder.dispose();
  const { tiles, where, steps } = info.provenance;
  console.log(`\n${name}: ${info.tileSize} px, trained on ${tiles} tiles, ${steps} steps`);
  console.log('                          tiles   AUROC   flagged at p < 0.01');
  for (const [source, { tiles, flagged }] of Object.entries(unseen)) {
    console.log(
      `  clean, ${source.padEnd(18)} ${String(tiles).padStart(4)}       -   ${(100 * flagged).toFixed(1)} %`,
    );
  }
  for (const [fault, { tiles, auroc, flagged, parts }] of Object.entries(faults)) {
    const by = Object.entries(parts).sort(([, a], [, b]) => b - a);
    const why = by.map(([part, count]) => `${part} ${count}`).join(', ');
    console.log(
      `  ${fault.padEnd(25)} ${String(tiles).padStart(4)}   ${auroc.toFixed(3)}   ${(100 * flagged).toFixed(1)} %   ${why}`,
    );
  }
  return { tileSize: info.tileSize, trained: { tiles, where, steps }, unseen, faults };
}

async function pathsBy(manifest, column) {
  const { tiles } = await listTiles({ tiles: manifest });
  const by = {};
  for (const tile of tiles) {
    const name = tile.labels[column] ?? 'all';
    by[name] = [...(by[name] ?? []), tile];
  }
  return by;
}

const pathsOf = (tiles) => tiles.map(({ path }) => path);

/** A model that was trained before there were any is given those of its source. */
async function giveStatistics(model, tiles, where) {
  const { tensors } = await inspect(model);
  if (!tensors.some(({ name }) => name === 'ood.centre')) await fitOutliers({ model, tiles, where });
}

async function phantom(folder) {
  const given = options['phantom-model'];
  const { manifest } = await generatePhantom({
    out: join(folder, 'tiles'),
    tiles: 360,
    labs: 4,
    mpp: 0.5,
    tileSize: given === undefined ? 64 : (await inspect(given)).info.tileSize,
    seed: 1,
  });
  const model =
    given ??
    (await train({ tiles: manifest, where: { lab: '0' }, out: join(folder, 'run'), ...TRAINING })).model;
  if (given !== undefined) await giveStatistics(given, manifest, { lab: '0' });
  const { 0: _, ...others } = await pathsBy(manifest, 'lab');
  const sources = Object.fromEntries(
    Object.entries(others).map(([lab, tiles]) => [`lab ${lab}`, pathsOf(tiles)]),
  );
  return evidence('Phantom tissue', { model, sources });
}

async function real(folder) {
  const { tiles, column, source } = options;
  if (source === undefined) throw new Error('--tiles needs --source');
  const where = { [column]: source };
  let model = options.model;
  if (model === undefined) {
    model = (await train({ tiles, where, out: join(folder, 'real'), tileSize: 64, ...TRAINING })).model;
  } else {
    await giveStatistics(model, tiles, where);
  }
  const { [source]: _, ...others } = await pathsBy(tiles, column);
  const sources = Object.fromEntries(Object.entries(others).map(([name, list]) => [name, pathsOf(list)]));
  const foreign = options.foreign && {
    'cytology, blue and pink': pathsOf((await listTiles({ tiles: options.foreign })).tiles),
  };
  return evidence('Real tissue', { model, sources, foreign });
}

if (options.help) {
  console.log(HELP);
} else {
  const folder = await mkdtemp(join(tmpdir(), 'stainfold-ood-'));
  try {
    const machine = `${availableParallelism()} cores of ${cpus()[0]?.model ?? 'a CPU'}`;
    const result = { machine, level: 0.01, phantom: await phantom(folder) };
    if (options.tiles !== undefined) result.real = await real(folder);
    mkdirSync(dirname(options.out), { recursive: true });
    writeFileSync(options.out, `${JSON.stringify(result, null, 2)}\n`);
    console.log(`\nwritten to ${options.out}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
