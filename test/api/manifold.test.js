// The kinds of manifold: what their options are, and what they draw on the pixels of the real core.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { trainWith } from '../../lib/api/train.js';
import { fitColourStatistics, renderManifold, writeManifoldSheet } from '../../lib/index.js';
import { nativeManifold } from '../../lib/internal/manifold-kinds.js';
import { renderSchema, trainSchema, validate } from '../../lib/internal/validate.js';
import { MANIFOLD_KINDS } from '../../lib/internal/validate-manifold.js';
import { pixels, temporaryFolder, writeTiles } from '../data/tiles.js';
import { fakeNative } from './fake-native.js';

const SIDE = 32;
const raw = (data) => ({ data, width: SIDE, height: SIDE, channels: 3 });
const flat = (red, green, blue) =>
  raw(Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => [red, green, blue][i % 3]));
const TILES = [
  raw(pixels(SIDE, 1)),
  flat(255, 255, 255),
  flat(0, 0, 0),
  flat(128, 128, 128),
  flat(170, 80, 150),
];
const CUSTOM = { kind: 'custom', transforms: [{ type: 'gain' }, { type: 'noise', common: 1 }] };
const manifolds = MANIFOLD_KINDS.map((kind) => (kind === 'custom' ? CUSTOM : { kind }));
const settled = (manifold) => validate(renderSchema, { tileSize: SIDE, manifold }).manifold;
const options = (manifold) => ({ tileSize: SIDE, threads: 1, seed: 2, manifold: { labs: 3, ...manifold } });

test.serial('every kind draws every tile, the same each time', async (t) => {
  for (const manifold of manifolds) {
    const rendered = await renderManifold(TILES, options(manifold));
    t.deepEqual(
      rendered.map((lab) => lab.map(({ data }) => data.length)),
      Array(3).fill(Array(TILES.length).fill(SIDE * SIDE * 3)),
    );
    t.deepEqual(await renderManifold(TILES, options(manifold)), rendered, manifold.kind);
    t.notDeepEqual(rendered[0][0], rendered[1][0], manifold.kind);
    t.notDeepEqual(rendered[0][0].data, TILES[0].data, manifold.kind);
  }
});

test.serial('strength 0 draws the tile itself', async (t) => {
  for (const manifold of manifolds) {
    if (manifold.kind === 'custom' || manifold.kind === 'randstainna') continue;
    const [lab] = await renderManifold(TILES, options({ ...manifold, strength: 0 }));
    for (const [i, { data }] of lab.entries())
      t.deepEqual(data, TILES[i].data, `${manifold.kind}, tile ${i}`);
  }
});

test.serial('a custom manifold is the kind that it spells out', async (t) => {
  const he = ['stain', 'gain', 'gamma', 'blur', 'jpeg'].map((type) => ({ type }));
  t.deepEqual(
    await renderManifold(TILES, options({ kind: 'custom', transforms: he })),
    await renderManifold(TILES, options({ strength: 1 })),
  );
  t.deepEqual(
    nativeManifold(settled({ kind: 'custom', transforms: he })),
    nativeManifold(settled({ strength: 1 })),
  );
  const hed = { kind: 'custom', fresh: true, transforms: [{ type: 'hed' }] };
  t.deepEqual(nativeManifold(settled(hed)), nativeManifold(settled({ kind: 'hed-jitter' })));
  const own = {
    type: 'stain',
    vectors: [
      [0.65, 0.7, 0.29],
      [0.27, 0.57, 0.78],
    ],
    tolerance: 25,
    rotation: 5,
  };
  t.deepEqual(
    nativeManifold(settled({ kind: 'custom', transforms: [own] })).transforms[0],
    nativeManifold(settled({ kind: 'hdab' })).transforms[0],
  );
});

test.serial('one channel stays grey, three are pictures of their own', async (t) => {
  const grey = raw(Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => (Math.floor(i / 3) * 7) % 256));
  const isGrey = ({ data }) => data.every((value, i) => value === data[i - (i % 3)]);
  const [one] = await renderManifold([grey], options({ kind: 'intensity' }));
  t.true(isGrey(one[0]));
  const [three] = await renderManifold([grey], options({ kind: 'intensity', channels: 3 }));
  t.false(isGrey(three[0]));
});

test('a single spread replaces its share of strength', (t) => {
  const [stain, gain, gamma] = nativeManifold(
    settled({ strength: 2, gain: 0.5, concentration: 0.1 }),
  ).transforms;
  t.is(stain.concentration, 0.1);
  t.is(stain.rotation, 18);
  t.is(gain.spread, 0.5);
  t.is(gamma.spread, 0.24);
});

const wrong = [
  [
    { kind: 'hdba' },
    'STAINFOLD_OPTION',
    /manifold\.kind must be one of 'he'.*did you mean 'hdab'\?\), got 'hdba'/,
  ],
  [{ kind: 'fluorescence', rotation: 1 }, 'STAINFOLD_OPTION_UNKNOWN', /no option 'manifold\.rotation'/],
  [{ kind: 'intensity', channels: 2 }, 'STAINFOLD_OPTION', /manifold\.channels must be 1 or 3, got 2/],
  [{ rotaton: 1 }, 'STAINFOLD_OPTION_UNKNOWN', /'manifold\.rotaton': did you mean 'rotation'/],
  [
    { kind: 'custom' },
    'STAINFOLD_OPTION',
    /manifold\.transforms must be a list of transforms, got undefined/,
  ],
  [{ kind: 'custom', transforms: [] }, 'STAINFOLD_OPTION', /a list of 1 to 32 transforms, got a list of 0/],
  [
    { kind: 'custom', transforms: [{ type: 'gain' }, { type: 'gama' }] },
    'STAINFOLD_OPTION',
    /manifold\.transforms\.1\.type must be one of .*did you mean 'gamma'\?\), got 'gama'/,
  ],
  [
    { kind: 'custom', transforms: [{ type: 'gain', spred: 1 }] },
    'STAINFOLD_OPTION_UNKNOWN',
    /'manifold\.transforms\.0\.spred': did you mean 'spread'/,
  ],
  [
    { kind: 'custom', transforms: [{ type: 'blur', sigma: 9 }] },
    'STAINFOLD_OPTION',
    /sigma must be .* 0 to 8, got 9/,
  ],
  [
    { kind: 'custom', strength: 2, transforms: [{ type: 'gain' }] },
    'STAINFOLD_OPTION_UNKNOWN',
    /manifold\.strength/,
  ],
  [
    { kind: 'randstainna', statistics: { mean: [1, 2] } },
    'STAINFOLD_OPTION',
    /manifold\.statistics\.mean must be/,
  ],
  ['he', 'STAINFOLD_OPTION', /manifold must be an object, got 'he'/],
];

for (const [manifold, code, message] of wrong) {
  test(`refused: ${JSON.stringify(manifold)}`, async (t) => {
    await t.throwsAsync(renderManifold([], { tileSize: 32, manifold }), { code, message });
  });
}

test.serial(
  'colour statistics are the means and spreads of the tiles, and a template reaches them',
  async (t) => {
    const tiles = [flat(200, 100, 150), flat(100, 200, 150), flat(150, 150, 150)];
    const statistics = await fitColourStatistics(tiles, { tileSize: SIDE, threads: 1 });
    // scikit-image's rgb2lab: [57.92, 46.26, -9.11], [73.44, -41.25, 21.00], [61.88, 0, 0]
    const lightness = [57.92, 73.44, 61.88];
    t.true(Math.abs(statistics.mean[0] - lightness.reduce((a, b) => a + b) / 3) < 2, `${statistics.mean}`);
    t.true(statistics.deviation.every((value) => Math.abs(value) < 1e-6));
    t.true(statistics.meanSpread[1] > 20);
    const fitted = await renderManifold(
      TILES.slice(0, 1),
      options({ kind: 'randstainna', statistics, strength: 0 }),
    );
    t.deepEqual(fitted[0], fitted[1]);
    await t.throwsAsync(fitColourStatistics(tiles.slice(1, 2), { tileSize: SIDE }), {
      code: 'STAINFOLD_TILES_EMPTY',
      message: /got 1/,
    });
  },
);

test.serial('the sheet: the tile, its labs, gutters', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'sheet.png');
  const sheet = await writeManifoldSheet(path, TILES.slice(0, 2), {
    tileSize: SIDE,
    threads: 1,
    manifold: { labs: 3 },
  });
  t.deepEqual(sheet, { path, width: 4 * 36 + 4, height: 2 * 54 + 4, tiles: 2, labs: 3 });
  const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
  t.deepEqual([info.width, info.height], [sheet.width, sheet.height]);
  const at = (x, y) => [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)];
  t.deepEqual(at(4, 22), [...TILES[0].data.subarray(0, 3)]);
  t.deepEqual(at(2, 30), [255, 255, 255]);
  const again = await writeManifoldSheet(join(folder, 'one.png'), TILES.slice(0, 1), {
    tileSize: SIDE,
    threads: 1,
    manifold: { labs: 7 },
  });
  t.deepEqual([again.width, again.height], [4 * 36 + 4, 2 * 54 + 4]);
  await t.throwsAsync(writeManifoldSheet(path, [], {}), { code: 'STAINFOLD_TILES_EMPTY' });
});

async function twoStains(t, stains = ['HE', 'IHC']) {
  const folder = await temporaryFolder(t);
  await writeTiles(folder, 6);
  const tiles = join(folder, 'tiles.csv');
  await writeFile(
    tiles,
    `file,stain\n${[0, 1, 2, 3, 4, 5].map((i) => `tile${i}.png,${stains[i % 2]}`).join('\n')}\n`,
  );
  const run = (settings) => {
    const native = fakeNative();
    const all = { tiles, out: join(folder, 'run'), batchSize: 2, epochs: 2, cacheBytes: 0, ...settings };
    return Object.assign(
      trainWith(async () => native, validate(trainSchema, all)),
      { native },
    );
  };
  return { folder, run };
}

const BOTH = [
  { stain: 'HE', labs: 3 },
  { kind: 'hdab', stain: 'IHC', labs: 5 },
];

test('tiles of two stains: the core is told which has which', async (t) => {
  const { run } = await twoStains(t);
  const training = run({ manifold: BOTH, stainColumn: 'stain' });
  await training;
  const [, given] = training.native.events.find(([what]) => what === 'trainer');
  t.deepEqual([given.manifold.labs, given.furtherStains.map(({ labs }) => labs)], [3, [5]]);
  const stains = training.native.events
    .filter(([what]) => what === 'stain')
    .flatMap(([, , ...values]) => values);
  t.is(stains.length, 12);
  t.is(stains.filter((value) => value === 1).length, 6);
});

test('a list of manifolds needs a column, and every value a manifold', async (t) => {
  const { run } = await twoStains(t);
  const refused = (settings, message, code = 'STAINFOLD_OPTION') =>
    t.throwsAsync(run(settings), { code, message });
  await refused({ manifold: BOTH }, /stainColumn must be given with a list of 2/);
  await refused({ stainColumn: 'stain' }, /stainColumn must come with a list/);
  await refused({ manifold: BOTH, stainColumn: 'site' }, /it has stain/);
  await refused({ manifold: [{}, {}], stainColumn: 'stain' }, /each stain once, got 'he' twice/);
  await refused(
    { manifold: [{ stain: 'HE' }, { kind: 'hdab', stain: 'DAB' }], stainColumn: 'stain' },
    /has the stain 'IHC', which is none of HE, DAB/,
    'STAINFOLD_MANIFEST',
  );
  t.throws(() => validate(trainSchema, { tiles: 'a', out: 'b', manifold: [] }), {
    message: /a list of 1 to 16/,
  });
  t.throws(() => validate(trainSchema, { tiles: 'a', out: 'b', manifold: [{}, { kind: 'x' }] }), {
    message: /manifold\.1\.kind must be/,
  });
});

test('a checkpoint from before there were kinds is one of H&E', async (t) => {
  const { folder, run } = await twoStains(t);
  await run({ epochs: 1 });
  const path = join(folder, 'run', 'checkpoint.safetensors');
  const bytes = await readFile(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = bytes.subarray(8, 8 + length).toString();
  const older = header.replace('\\"kind\\":\\"he\\",', '');
  t.true(older.length < header.length);
  bytes.write(older.padEnd(length, ' '), 8);
  await writeFile(path, bytes);
  await run({ epochs: 1, resume: true });
  await t.throwsAsync(run({ epochs: 1, resume: true, manifold: { kind: 'hdab' } }), {
    code: 'STAINFOLD_CHECKPOINT_MISMATCH',
    message: /manifold/,
  });
});
