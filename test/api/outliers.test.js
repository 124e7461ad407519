// Out-of-distribution scores, end to end on phantom tissue: what training leaves in the model, what it flags and what not.
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { readSafetensors, writeSafetensors } from '../../lib/data/safetensors.js';
import {
  fitOutliers,
  generatePhantom,
  inspect,
  listTiles,
  loadEncoder,
  readTile,
  train,
  writeScores,
} from '../../lib/index.js';
import { ARTEFACTS, randomNumbers } from '../data/artefacts.js';
import { sharedFolder } from '../data/tiles.js';

const SIDE = 64;
const CPU = { device: 'cpu', threads: 1 };

const folder = sharedFolder(test);
let tiles;
let model;
let encoder;

test.before(async () => {
  const made = { tiles: 72, labs: 3, tileSize: SIDE, seed: 4, ...CPU };
  tiles = (await generatePhantom({ out: join(folder, 'tiles'), ...made })).manifest;
  const options = { tiles, where: { lab: '0' }, epochs: 3, batchSize: 12, seed: 2, ...CPU };
  ({ model } = await train({ ...options, out: join(folder, 'run') }));
  encoder = await loadEncoder(model, CPU);
});
test.after.always(() => encoder?.dispose());

const pathsOf = async (where) => (await listTiles({ tiles, where })).tiles.map(({ path }) => path);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const share = (flags) => mean(flags.map(Number));

/** Probability that a faulty tile scores higher than a good one. */
function auroc(faulty, good) {
  const wins = faulty.flatMap((f) => good.map((g) => (f > g ? 1 : f === g ? 0.5 : 0)));
  return mean(wins);
}

test('training leaves the statistics in the model; other files have none', async (t) => {
  const names = (await inspect(model)).tensors.map(({ name }) => name).filter((name) => /^ood\./.test(name));
  const parts = ['calibration', 'centre', 'latent', 'limit', 'mean', 'scale', 'stain', 'structure'];
  t.deepEqual(
    names.sort(),
    parts.map((part) => `ood.${part}`),
  );
  const other = await loadEncoder(join(folder, 'run', 'checkpoint.safetensors'), CPU);
  const error = await t.throwsAsync(other.score([]), { code: 'STAINFOLD_STATE' });
  t.regex(
    error.message,
    /checkpoint\.safetensors holds no out-of-distribution statistics, or those of an earlier version/,
  );
  t.regex(error.hint, /npx stainfold ood TILES --model .*checkpoint\.safetensors --fit/);
  await other.dispose();
});

test('fresh tiles of the source pass, faulty ones of other labs score higher than good ones', async (t) => {
  const made = { tiles: 60, labs: 1, tileSize: SIDE, seed: 9, ...CPU };
  const { manifest } = await generatePhantom({ out: join(folder, 'fresh'), ...made });
  const fresh = await encoder.score((await listTiles({ tiles: manifest })).tiles.map(({ path }) => path));
  t.true(share(fresh.flagged) <= 0.1, `${share(fresh.flagged)} of the fresh tiles are flagged`);

  const good = [...(await pathsOf({ lab: '1' })), ...(await pathsOf({ lab: '2' }))];
  const passed = await encoder.score(good);
  t.is(passed.p.length, good.length);
  t.true(passed.p.every((p) => p > 0 && p <= 1));
  const random = randomNumbers(6);
  const decoded = await Promise.all(good.map((path) => readTile(path, SIDE)));
  // Measured on this small model: 0.83, 0.86, 0.71; a score that sees nothing has 0.5. A sixth of the tiles is glass, where
  // a fold is none. 72 tiles are too few to know another stain by: scripts/ood-evidence.mjs has more.
  const least = { fold: 0.75, pen: 0.75, blur: 0.65 };
  for (const name of Object.keys(least)) {
    const make = ARTEFACTS[name];
    const scores = await encoder.score(decoded.map((tile) => make(tile, random)));
    const area = auroc([...scores.score], [...passed.score]);
    t.log(`${name}: AUROC ${area.toFixed(3)}`);
    t.true(area > least[name], `${name}: AUROC ${area}`);
  }
});

test('level decides what is flagged', async (t) => {
  const paths = await pathsOf({ lab: '1' });
  const all = await encoder.score(paths, { level: 1 });
  t.is(share(all.flagged), mean([...all.p].map((p) => Number(p < 1))));
  t.is(share((await encoder.score(paths, { level: 0 })).flagged), 0);
  await t.throwsAsync(encoder.score(paths, { level: 2 }), { code: 'STAINFOLD_OPTION' });
  await t.throwsAsync(encoder.score(paths, { nope: 1 }), { code: 'STAINFOLD_OPTION_UNKNOWN' });
});

test('fitOutliers: gives back what training computed, refuses too few tiles, leaves the weights alone', async (t) => {
  const copy = join(folder, 'copy.safetensors');
  await copyFile(model, copy);
  const { tensors, data, metadata } = await readSafetensors(copy, ({ name }) => !name.startsWith('ood.'));
  await writeSafetensors(copy, tensors, [data], metadata);
  const done = [];
  const result = await fitOutliers({
    model: copy,
    tiles,
    where: { lab: '0' },
    ...CPU,
    onProgress: (count, total) => done.push([count, total]),
  });
  t.is(result.tiles, 72);
  t.deepEqual(done.at(-1), [72, 72]);
  t.deepEqual(await readFile(copy), await readFile(model));
  await t.throwsAsync(
    fitOutliers({ model: copy, tiles, where: { lab: '0', slide: 'lab0_slide0000' }, ...CPU }),
    {
      code: 'STAINFOLD_TILES_EMPTY',
      message: /holds 10 tiles, out-of-distribution statistics need 20/,
    },
  );
  t.deepEqual(await readFile(copy), await readFile(model));
});

test('statistics of another width are refused', async (t) => {
  const copy = join(folder, 'misfit.safetensors');
  const { tensors, data, metadata } = await readSafetensors(model);
  const misnamed = tensors.map((tensor) =>
    tensor.name === 'ood.limit' ? { ...tensor, name: 'ood.other' } : tensor,
  );
  await writeSafetensors(copy, misnamed, [data], metadata);
  await t.throwsAsync(loadEncoder(copy, CPU), {
    code: 'STAINFOLD_WEIGHTS',
    message: /'ood\.limit' is missing/,
  });
});

test('writeScores: a line a tile', async (t) => {
  const { tiles: listed } = await listTiles({ tiles, where: { lab: '2' } });
  const scores = await encoder.score(listed.map(({ path }) => path));
  const path = join(folder, 'scores.csv');
  await writeScores(path, scores, listed);
  const [header, ...lines] = (await readFile(path, 'utf8')).trimEnd().split('\n');
  t.regex(header, /^file,lab,.*slide.*,flagged,part,p,score,distance,reconstruction,stain,density,blur$/);
  t.is(lines.length, 72);
  t.is(
    Number(lines[3].split(',')[header.split(',').indexOf('p')]).toPrecision(5),
    scores.p[3].toPrecision(5),
  );
  await t.throwsAsync(writeScores(path, scores, ['a']), { code: 'STAINFOLD_SHAPE' });
});

test('an unreadable tile rejects with its index, or is left out', async (t) => {
  const broken = join(folder, 'broken.png');
  await writeFile(broken, 'x');
  const [good] = await pathsOf({ lab: '1' });
  await t.throwsAsync(encoder.score([good, broken]), {
    code: 'STAINFOLD_TILE_UNREADABLE',
    message: /^Tile 1/,
  });
  const left = [];
  const { p } = await encoder.score([broken, good], { onUnreadable: (index) => left.push(index) });
  t.is(p.length, 1);
  t.deepEqual(left, [0]);
});

test('of a model of several stains each tile is rendered by the manifold of its own', async (t) => {
  const { tiles: listed } = await listTiles({ tiles, where: { lab: '0' } });
  const lines = (stainOf) => listed.slice(0, 24).map(({ path }, i) => `${path},${stainOf(i)}`);
  const manifest = join(folder, 'stains.csv');
  const write = (stainOf) => writeFile(manifest, ['file,stain', ...lines(stainOf), ''].join('\n'));
  await write((i) => ['HE', 'IHC'][i % 2]);
  const joint = {
    stainColumn: 'stain',
    manifold: [
      { kind: 'he', stain: 'HE' },
      { kind: 'hdab', stain: 'IHC' },
    ],
  };
  const trained = await train({
    tiles: manifest,
    out: join(folder, 'joint'),
    epochs: 1,
    batchSize: 12,
    ...CPU,
    ...joint,
  });
  const statistics = async (path) => {
    const { tensors, data } = await readSafetensors(path, ({ name }) => name.startsWith('ood.'));
    t.true(tensors.length > 0);
    return data;
  };
  const before = await statistics(trained.model);
  // The same tiles all as H&E are rendered otherwise.
  await write(() => 'HE');
  await fitOutliers({ model: trained.model, tiles: manifest, ...CPU });
  t.notDeepEqual(await statistics(trained.model), before);
  await write(() => 'PAS');
  await t.throwsAsync(fitOutliers({ model: trained.model, tiles: manifest, ...CPU }), {
    code: 'STAINFOLD_MANIFEST',
    message: /has the stain 'PAS'; the model knows HE, IHC/,
  });
});
