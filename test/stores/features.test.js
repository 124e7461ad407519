// Every format: what is written comes back through the readers, and a slide's worth takes bounded memory.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { toFloat16, toFloat32 } from '../../lib/data/numbers.js';
import { readFeatures, writeFeatures } from '../../lib/index.js';
import { temporaryFolder } from '../data/tiles.js';
import { allPlaces, allValues, chunks, GEOMETRY } from './written.js';

const ROWS = 1100; // more than a Zarr chunk, two Parquet row groups, and a node of the HDF5 index
const COLUMNS = 5;

const same = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);

const written = [
  ...['h5', 'safetensors', 'parquet', 'npy', 'zarr'].flatMap((format) => [
    [format, { precision: 'fp32' }],
    [format, { precision: 'fp16' }],
  ]),
  ['h5', { layout: 'trident' }],
  ['h5', { layout: 'trident', precision: 'fp16' }],
  ['h5', { layout: 'clam' }],
];

for (const [format, options] of written) {
  test(`${format} ${Object.values(options).join(' ')}: what was written comes back`, async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, 'new', `a.${format}`);
    const { files, shape } = await writeFeatures(path, chunks(ROWS, COLUMNS), {
      geometry: GEOMETRY,
      encoder: 'lmc',
      ...options,
    });
    t.deepEqual(shape, [ROWS, COLUMNS]);
    t.is(files[0], path);
    t.deepEqual((await readdir(join(folder, 'new'))).length, files.length, 'and nothing else is left');
    const back = await readFeatures(path);
    t.deepEqual(back.shape, [ROWS, COLUMNS]);
    t.true(same(back.data, allValues(ROWS, COLUMNS)));
    t.true(same(back.coords, allPlaces(ROWS)));
    if (options.layout === undefined) {
      t.is(back.attributes.slide, 'slidé 1');
      t.is(Number(back.attributes.mpp), 0.25);
      t.is(Number(back.attributes.tile_size_level0), 512);
      t.is(back.attributes.encoder, 'lmc');
    }
  });
}

test('stamp: float16, in micrometres', async (t) => {
  const path = join(await temporaryFolder(t), 'a.h5');
  await writeFeatures(path, chunks(ROWS, COLUMNS), { geometry: GEOMETRY, layout: 'stamp' });
  const { data, coords, attributes } = await readFeatures(path);
  t.deepEqual(data, allValues(ROWS, COLUMNS));
  t.deepEqual(coords, allPlaces(ROWS, 0.25));
  t.is(attributes.unit, 'um');
});

test('the same features: the same bytes, in every format', async (t) => {
  const folder = await temporaryFolder(t);
  for (const format of ['h5', 'safetensors', 'parquet', 'npy']) {
    const paths = [3, 50].map((most) => [join(folder, `${most}.${format}`), most]);
    const options = { geometry: GEOMETRY };
    for (const [path, most] of paths) await writeFeatures(path, chunks(ROWS, COLUMNS, most), options);
    const [one, other] = await Promise.all(paths.map(([path]) => readFile(path)));
    t.true(one.equals(other), `${format}: however the chunks were cut`);
  }
});

test('a file that cannot be written leaves what was there', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'a.zarr');
  await writeFeatures(path, chunks(10, 2), { geometry: GEOMETRY });
  async function* broken() {
    yield* chunks(10, 2);
    throw new Error('the slide ends here');
  }
  for (const format of ['h5', 'zarr', 'npy']) {
    const there = join(folder, `there.${format}`);
    await writeFeatures(there, chunks(3, 2));
    await t.throwsAsync(writeFeatures(there, broken()), { message: 'the slide ends here' });
    t.deepEqual((await readFeatures(there)).shape, [3, 2]);
  }
  await mkdir(join(folder, 'b.h5'));
  await writeFile(join(folder, 'b.h5', 'x'), '');
  await t.throwsAsync(writeFeatures(join(folder, 'b.h5'), chunks(3, 2)), { code: 'STAINFOLD_FILE_WRITE' });
  t.false((await readdir(folder)).some((name) => /part|tmp/.test(name)));
});

test('what cannot be written is refused', async (t) => {
  const path = join(await temporaryFolder(t), 'a.h5');
  const refused = (code, message, options, source = chunks(3, 2)) =>
    t.throwsAsync(writeFeatures(path, source, options), { code, message });
  await refused('STAINFOLD_OPTION', /Layout trident needs geometry/, { layout: 'trident' });
  await refused('STAINFOLD_OPTION', /stamp holds fp16, not fp32/, { layout: 'stamp', precision: 'fp32' });
  await refused('STAINFOLD_OPTION', /clam holds fp32, not fp16/, { layout: 'clam', precision: 'fp16' });
  await refused('STAINFOLD_OPTION', /HDF5 files/, { layout: 'clam', format: 'npy' });
  await refused('STAINFOLD_OPTION_UNKNOWN', /did you mean 'layout'/, { layoutt: 'clam' });
  await refused('STAINFOLD_OPTION', /geometry\.mpp must be a number above 0/, {
    geometry: { ...GEOMETRY, mpp: 0 },
  });
  await refused('STAINFOLD_SHAPE', /no features/, {}, []);
  const one = { features: new Float32Array(4), coords: new Int32Array(2) };
  const odd = { features: new Float32Array(6), coords: new Int32Array(2) };
  await refused('STAINFOLD_SHAPE', /6 features and 2 coords .* 4 dimensions/, {}, [one, odd]);
  const huge = { features: Float32Array.of(1, 70_000), coords: new Int32Array(2) };
  await refused('STAINFOLD_EMBEDDINGS', /70000 is beyond/, { precision: 'fp16' }, [huge]);
  const lists = { features: [1, 2], coords: [0, 0] };
  await refused('STAINFOLD_DTYPE', /Float32Array .* got Array and Array/, {}, [lists]);
  const wild = { features: Float32Array.of(1, 2, 3, Number.NaN), coords: new Int32Array(4) };
  await refused('STAINFOLD_NON_FINITE', /tile 1 hold NaN/, {}, [wild]);
  await t.throwsAsync(writeFeatures('a.csv', chunks(3, 2)), { code: 'STAINFOLD_OPTION', message: /\.zarr/ });
});

test('float16: every value there is comes back, and what lies between goes to the nearest, ties to even', (t) => {
  const words = Uint16Array.from({ length: 65536 }, (_, i) => i).filter((w) => (w & 0x7c00) !== 0x7c00);
  const values = toFloat32(new Uint8Array(words.buffer), 'F16');
  t.deepEqual(toFloat16(values), words);
  const positive = values.filter((_, i) => words[i] < 0x7bff);
  const middle = positive.map((low, i) => (low + (values[i + 1] ?? 0)) / 2);
  const even = toFloat16(middle);
  t.true(even.every((word, i) => word === i + (i & 1)));
  const nudged = (by) => toFloat16(middle.map((m) => m * (1 + by)));
  t.true(nudged(1e-6).every((word, i) => word === i + 1));
  t.true(nudged(-1e-6).every((word, i) => word === i));
  t.deepEqual(
    toFloat16(Float32Array.of(65519, 65520, 1e-30, Number.NEGATIVE_INFINITY, Number.NaN, -0)),
    Uint16Array.of(0x7bff, 0x7c00, 0, 0xfc00, 0x7e00, 0x8000),
  );
});

test.serial('160,000 tiles of 256 dimensions take the memory of 40,000', async (t) => {
  const folder = await temporaryFolder(t);
  const chunk = { features: new Float32Array(256 * 256).fill(1), coords: new Int32Array(512).fill(7) };
  function* many(tiles, peak) {
    for (let i = 0; i < tiles; i += 256) {
      peak.bytes = Math.max(peak.bytes, process.memoryUsage.rss());
      yield chunk;
    }
  }
  for (const format of ['h5', 'safetensors', 'npy', 'zarr']) {
    const used = async (tiles) => {
      const peak = { bytes: 0 };
      const timer = setInterval(() => {
        peak.bytes = Math.max(peak.bytes, process.memoryUsage.rss());
      }, 5);
      const path = join(folder, `${tiles}.${format}`);
      await writeFeatures(path, many(tiles, peak), { geometry: GEOMETRY });
      clearInterval(timer);
      return peak.bytes;
    };
    const before = await used(40_960);
    const grown = (await used(163_840)) - before;
    // The features alone are 126 MB more. What the collector has not yet taken is less than half of it.
    t.true(grown < 60e6, `${format}: ${Math.round(grown / 1e6)} MB more`);
  }
});
