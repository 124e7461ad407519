// Normalisers and separation through the package's own functions: numbers are tested natively, here what surrounds them.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { listTiles, normalizeTiles, StainNormalizer, separate, separateTiles } from '../../lib/index.js';
import { temporaryFolder } from '../temporary.js';

const HE = [
  [0.5626, 0.2159],
  [0.7201, 0.8012],
  [0.4062, 0.5581],
];
const PLACE = { device: 'cpu', threads: 1 };

/** Two concentrations that run over their ranges, in the stain HE times `strength`. */
function stained([a, b, c, d], strength, width = 48, height = width) {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const h = 0.3 + (1.8 * ((a * x + b * y) % 64)) / 63;
      const e = 0.2 + ((c * x + d * y) % 61) / 60;
      for (let k = 0; k < 3; k++) {
        data[(y * width + x) * 3 + k] = Math.round(240 * Math.exp(-strength * (HE[k][0] * h + HE[k][1] * e)));
      }
    }
  }
  return { data, width, height, channels: 3 };
}

function uniform(level, width, height = width) {
  return { data: new Uint8Array(width * height * 3).fill(level), width, height, channels: 3 };
}

const target = stained([7, 3, 5, 11], 1);
const source = stained([3, 13, 9, 2], 1.3);

async function all(generator) {
  const results = [];
  for await (const result of generator) results.push(result);
  return results;
}

const mean = ({ data }) => data.reduce((sum, level) => sum + level, 0) / data.length;

async function dataSet() {
  const folder = temporaryFolder('stain');
  await mkdir(join(folder, 'in/a'), { recursive: true });
  const rows = ['file,site,slide'];
  const tiles = [source, stained([5, 7, 3, 4], 1.3), target, uniform(255, 48)];
  for (const [i, { data, width, height }] of tiles.entries()) {
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(join(folder, 'in/a', `t${i}.png`));
    rows.push(`a/t${i}.png,"site ${i < 2 ? 'one' : 'two'}",s${Math.floor(i / 2)}`);
  }
  await writeFile(join(folder, 'in/tiles.csv'), `${rows.join('\n')}\n`);
  return { folder, manifest: join(folder, 'in/tiles.csv'), out: join(folder, 'out') };
}

for (const method of ['macenko', 'vahadane', 'ruifrok', 'reinhard', 'histogram']) {
  test(`${method}: fit, normalize, save and load`, async (t) => {
    const normalizer = await StainNormalizer.fit(target, { method, ...PLACE });
    t.is(normalizer.method, method);
    t.is(normalizer.tiles, 1);
    const [first, white] = await all(normalizer.normalize([source, uniform(255, 20, 10)]));
    t.is(first.status, 'ok');
    t.deepEqual([first.index, white.index], [0, 1]);
    // Ruifrok's matrix is not this tile's: it carries the difference over.
    if (method !== 'ruifrok')
      t.true(Math.abs(mean(first.tile) - mean(target)) < 0.5 * Math.abs(mean(source) - mean(target)));
    t.is(white.status, 'little-tissue');
    t.deepEqual([white.tile.width, white.tile.height], [20, 10]);
    t.deepEqual(Array.from(white.tile.data), Array.from(uniform(255, 20, 10).data));

    const path = join(temporaryFolder('stain'), 'fit.json');
    await normalizer.save(path);
    const loaded = await StainNormalizer.load(path, PLACE);
    t.deepEqual(loaded.reference, normalizer.reference);
    const [again] = await all(loaded.normalize(source));
    t.deepEqual(Array.from(again.tile.data), Array.from(first.tile.data));
  });
}

/** The tile with glass to its right. */
function besideGlass({ data, width, height }) {
  const wide = uniform(243, 2 * width, height);
  for (let y = 0; y < height; y++)
    wide.data.set(data.subarray(y * width * 3, (y + 1) * width * 3), y * 2 * width * 3);
  return wide;
}

for (const method of ['reinhard', 'histogram']) {
  test(`${method}: glass stays as it is unless all pixels are asked for, and the file remembers`, async (t) => {
    const tile = besideGlass(source);
    const glass = ({ data, width }) => Array.from(data.subarray((width - 9) * 3, width * 3));
    const first = async (normalizer) => (await all(normalizer.normalize(tile)))[0].tile;
    const path = join(temporaryFolder('stain'), 'fit.json');
    for (const [options, kept] of [
      [{}, true],
      [{ pixels: 'tissue' }, true],
      [{ pixels: 'all' }, false],
    ]) {
      const normalizer = await StainNormalizer.fit(target, { method, ...options, ...PLACE });
      const made = await first(normalizer);
      t.is(JSON.stringify(glass(made)) === JSON.stringify(glass(tile)), kept);
      await normalizer.save(path);
      const loaded = await StainNormalizer.load(path, PLACE);
      t.deepEqual(Array.from((await first(loaded)).data), Array.from(made.data));
    }
    // A file of before there was a choice holds the published form.
    const { pixels, ...before } = JSON.parse(await readFile(path, 'utf8'));
    t.is(pixels, 'all');
    await writeFile(path, JSON.stringify(before));
    t.notDeepEqual(glass(await first(await StainNormalizer.load(path, PLACE))), glass(tile));
  });
}

test('what one method has is not asked of another', async (t) => {
  const refused = (message) => ({ code: 'STAINFOLD_OPTION', message });
  const fitted = (options) => StainNormalizer.fit(target, { ...options, ...PLACE });
  await t.throwsAsync(
    fitted({ stains: 'hdab' }),
    refused(/stains must be 'he' unless method is 'ruifrok', got 'hdab'/),
  );
  await t.throwsAsync(
    fitted({ pixels: 'all' }),
    refused(/pixels must be left out unless method is 'reinhard'/),
  );
  await t.throwsAsync(all(separate(target, { stains: 'hdab', ...PLACE })), refused(/stains must be 'he'/));
  t.is((await fitted({ method: 'ruifrok', stains: 'hdab' })).method, 'ruifrok');
});

test("torchstain's published reference, and its numbers in the file", async (t) => {
  const normalizer = await StainNormalizer.published(PLACE);
  t.deepEqual(normalizer.reference, { matrix: HE, peaks: [1.9705, 1.0308] });
  const path = join(temporaryFolder('stain'), 'fit.json');
  await normalizer.save(path);
  const text = await readFile(path, 'utf8');
  t.regex(text, /^ {6}\[0\.5626, 0\.2159\],$/m);
  t.regex(text, /"peaks": \[1\.9705, 1\.0308\]/);
});

test('sizes may change within a stream, and order stays', async (t) => {
  const normalizer = await StainNormalizer.published(PLACE);
  async function* stream() {
    for (let i = 0; i < 9; i++) yield stained([7, 3, 5, 11], 1, 20 + 7 * (i % 3), 31);
  }
  const done = await all(normalizer.normalize(stream()));
  t.deepEqual(
    done.map(({ index, tile }) => [index, tile.width, tile.height]),
    Array.from({ length: 9 }, (_, i) => [i, 20 + 7 * (i % 3), 31]),
  );
});

test('white, black, grey, one-pixel, RGBA and 16-bit tiles', async (t) => {
  const { data, width, height } = source;
  const raw = sharp(data, { raw: { width, height, channels: 3 } });
  const rgba = await raw.clone().ensureAlpha(0.5).png().toBuffer();
  const deep = await raw.clone().toColourspace('rgb16').png().toBuffer();
  t.is((await sharp(deep).metadata()).depth, 'ushort');
  const grey = await sharp(Buffer.alloc(32 * 32, 99), { raw: { width: 32, height: 32, channels: 1 } })
    .png()
    .toBuffer();
  const odd = [uniform(255, 9), uniform(0, 9), grey, uniform(120, 1), rgba, deep];
  for (const method of ['macenko', 'vahadane', 'ruifrok', 'reinhard', 'histogram']) {
    const normalizer = await StainNormalizer.fit(target, { method, ...PLACE });
    const done = await all(normalizer.normalize(odd));
    t.deepEqual(
      done.slice(0, 4).map(({ status }) => status),
      ['little-tissue', 'weak-stain', 'weak-stain', 'little-tissue'],
      method,
    );
    t.is(done[5].status, 'ok', method);
    t.is(done[4].tile.data.length, data.length);
    if (method !== 'reinhard' && method !== 'histogram')
      t.is((await all(separate(odd, { method, ...PLACE }))).length, 6);
  }
});

test('groups are fitted together', async (t) => {
  const normalizer = await StainNormalizer.fit(target, PLACE);
  const tiles = [source, stained([5, 7, 3, 4], 1.3), target];
  const done = await all(normalizer.normalize(tiles, { groups: ['a', 'a', 'b'] }));
  const alone = await all(normalizer.normalize(tiles));
  t.deepEqual(Array.from(done[2].tile.data), Array.from(alone[2].tile.data));
  t.notDeepEqual(Array.from(done[0].tile.data), Array.from(alone[0].tile.data));
  await t.throwsAsync(all(normalizer.normalize(tiles, { groups: ['a'] })), { code: 'STAINFOLD_OPTION' });
});

test('many tiles are one reference, by the median or by a pool that may overflow', async (t) => {
  // 40 tiles of 256 px are more pixels than the pool holds.
  const tile = stained([7, 3, 5, 11], 1, 256);
  const numbers = ({ reference }) =>
    'mean' in reference
      ? [...reference.mean, ...reference.deviation]
      : [...reference.matrix.flat(), ...reference.peaks];
  for (const [method, off] of [
    ['macenko', 1e-6],
    ['reinhard', 0.3],
  ]) {
    const many = await StainNormalizer.fit(Array(40).fill(tile), { method, ...PLACE });
    const one = await StainNormalizer.fit(tile, { method, ...PLACE });
    t.is(many.tiles, 40);
    const expected = numbers(one);
    for (const [i, value] of numbers(many).entries())
      t.true(Math.abs(value - expected[i]) < off, `${method} ${value} and ${expected[i]}`);
  }
  const mixed = await StainNormalizer.fit([uniform(255, 32), target, uniform(255, 32)], PLACE);
  t.deepEqual(mixed.reference, (await StainNormalizer.fit(target, PLACE)).reference);
});

test('an abort ends the stream, an unreadable tile is told by its index', async (t) => {
  const normalizer = await StainNormalizer.published(PLACE);
  const controller = new AbortController();
  const stopped = (async () => {
    for await (const { index } of normalizer.normalize(Array(500).fill(source), {
      signal: controller.signal,
    }))
      if (index === 0) controller.abort(new Error('enough'));
  })();
  await t.throwsAsync(stopped, { message: 'enough' });
  const broken = [source, new Uint8Array([1, 2, 3]), source];
  await t.throwsAsync(all(normalizer.normalize(broken)), {
    code: 'STAINFOLD_TILE_UNREADABLE',
    message: /Tile 1/,
  });
  const skipped = [];
  const done = await all(normalizer.normalize(broken, { onUnreadable: (index) => skipped.push(index) }));
  t.deepEqual([done.map(({ index }) => index), skipped], [[0, 2], [1]]);
});

test('a reference without stain, and files that are none', async (t) => {
  await t.throwsAsync(StainNormalizer.fit(uniform(255, 32), PLACE), { code: 'STAINFOLD_STAIN' });
  await t.throwsAsync(StainNormalizer.fit([], PLACE), { code: 'STAINFOLD_TILES_EMPTY' });
  await t.throwsAsync(StainNormalizer.fit(target, { metod: 'macenko' }), {
    code: 'STAINFOLD_OPTION_UNKNOWN',
  });
  const path = join(temporaryFolder('stain'), 'fit.json');
  await t.throwsAsync(StainNormalizer.load(path), { code: 'STAINFOLD_FILE_NOT_FOUND' });
  await writeFile(path, '{');
  await t.throwsAsync(StainNormalizer.load(path), { code: 'STAINFOLD_STAIN' });
  const normalizer = await StainNormalizer.published(PLACE);
  await normalizer.save(path);
  await writeFile(path, (await readFile(path, 'utf8')).replace('"macenko"', '"reinhard"'));
  await t.throwsAsync(StainNormalizer.load(path), { code: 'STAINFOLD_STAIN', message: /'mean'/ });
});

test('separate: matrix, concentrations, pictures', async (t) => {
  const [tile] = await all(separate(source, { images: true, ...PLACE }));
  t.deepEqual(tile.stains, ['haematoxylin', 'eosin']);
  const { matrix, concentrations, width, height } = tile;
  t.is(concentrations.length, 2 * width * height);
  const pixel = 777;
  for (let k = 0; k < 3; k++) {
    const density =
      matrix[k][0] * concentrations[pixel] + matrix[k][1] * concentrations[width * height + pixel];
    t.true(Math.abs(240 * Math.exp(-density) - (source.data[pixel * 3 + k] + 1)) < 3);
  }
  t.is(tile.maps.length, 2);
  t.is(tile.maps[0][pixel], Math.round(10000 * concentrations[pixel]));
  t.is(tile.images[1].data.length, width * height * 3);
  const [hed] = await all(separate(source, { method: 'ruifrok', stains: 'hrd', ...PLACE }));
  t.deepEqual(hed.stains, ['haematoxylin', 'fast red', 'dab']);
  t.is(hed.images, undefined);
});

test('normalizeTiles: a set with the same labels, by tile, slide and set', async (t) => {
  const { manifest, out } = await dataSet();
  const normalizer = await StainNormalizer.fit(target, PLACE);
  const made = await normalizeTiles(normalizer, { tiles: manifest, out });
  t.deepEqual(made.statuses, { ok: 3, 'little-tissue': 1, 'weak-stain': 0, clamped: 0 });
  const { columns, tiles } = await listTiles({ tiles: made.manifest, where: { site: 'site two' } });
  t.deepEqual(columns, ['site', 'slide', 'stain_status']);
  t.deepEqual(
    tiles.map(({ file, labels }) => [file, labels.slide, labels.stain_status]),
    [
      ['tiles/a/t2.png', 's1', 'ok'],
      ['tiles/a/t3.png', 's1', 'little-tissue'],
    ],
  );
  const stages = new Set();
  const onProgress = ({ stage }) => stages.add(stage);
  const bySlide = await normalizeTiles(normalizer, {
    tiles: manifest,
    out,
    per: 'slide',
    format: 'webp',
    onProgress,
  });
  t.is(bySlide.statuses.ok, 4); // the white tile by its slide's fit
  t.deepEqual([...stages], ['fitting', 'normalizing']);
  t.is((await normalizeTiles(normalizer, { tiles: manifest, out, per: 'set' })).tiles, 4);
});

test('normalizeTiles refuses to write over what it reads, and over what is not its own', async (t) => {
  const { folder, manifest, out } = await dataSet();
  const normalizer = await StainNormalizer.fit(target, PLACE);
  const { manifest: made } = await normalizeTiles(normalizer, { tiles: manifest, out });
  const refused = { code: 'STAINFOLD_OUTPUT_EXISTS' };
  await t.throwsAsync(normalizeTiles(normalizer, { tiles: made, out }), refused);
  await writeFile(join(folder, 'in/manifest.csv'), 'file,site\n');
  await t.throwsAsync(normalizeTiles(normalizer, { tiles: manifest, out: join(folder, 'in') }), refused);
  await t.throwsAsync(
    normalizeTiles(normalizer, { tiles: manifest, out, per: 'slide', slideColumn: 'case' }),
    {
      code: 'STAINFOLD_MANIFEST',
    },
  );
  await writeFile(join(folder, 'in/a/t0.png'), 'broken');
  const some = await normalizeTiles(normalizer, { tiles: manifest, out });
  t.deepEqual([some.tiles, some.unreadable.map(({ file }) => file)], [3, ['a/t0.png']]);
  await t.throwsAsync(normalizeTiles(normalizer, { tiles: manifest, out, strict: true }), {
    code: 'STAINFOLD_TILE_UNREADABLE',
  });
});

test('separateTiles: tables and pictures', async (t) => {
  const { manifest, out } = await dataSet();
  const made = await separateTiles({ tiles: manifest, out, ...PLACE });
  t.is(made.tiles, 4);
  const [head, first] = (await readFile(made.table, 'utf8')).split('\n');
  t.regex(head, /^file,site,slide,stain_status,haematoxylin_r,.*eosin_b$/);
  t.regex(first, /^a\/t0\.png,site one,s0,ok,0\.\d+,/);
  const { stains, tiles } = JSON.parse(await readFile(join(out, 'stains.json'), 'utf8'));
  t.deepEqual(stains, ['haematoxylin', 'eosin']);
  t.is(tiles[0].stains.eosin.length, 3);
  const map = await sharp(join(out, 'concentrations/a/t0-eosin.png')).metadata();
  t.deepEqual([map.depth, map.channels, map.width], ['ushort', 1, 48]);
  t.is((await sharp(join(out, 'images/a/t3-haematoxylin.png')).metadata()).channels, 3);
});
