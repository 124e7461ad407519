// HDF5 as TRIDENT, CLAM and STAMP write it: names, types, shapes, chunks and attributes, seen by the HDF5 library from
// JavaScript always, and by h5py through loaders like those of the tools where there is a Python that has it.
import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { Dataset, File, ready } from 'h5wasm/node';
import { writeFeatures } from '../../lib/index.js';
import { sharedFolder } from '../data/tiles.js';
import { allPlaces, allValues, chunks, GEOMETRY } from './written.js';

const run = promisify(execFile);
const PYTHON = process.env.STAINFOLD_PYTHON ?? 'python3';
const folder = sharedFolder(test);
const ROWS = 70; // more than a node of the index of chunks holds
const D = 4;

const FILES = [
  ['trident/a.h5', { layout: 'trident' }],
  ['half/a.h5', { layout: 'trident', precision: 'fp16' }],
  ['clam/h5_files/a.h5', { layout: 'clam' }],
  ['stamp/a.h5', { layout: 'stamp', attributes: { model_digest: '0a1b' } }],
  ['a.parquet', {}],
  ['a.npy', {}],
  ['a.safetensors', { precision: 'fp16' }],
];

const int = (n) => ['int64', n];
const real = (n) => ['float64', n];
const text = (s) => ['str', s];
const growing = (columns) => ({ shape: [ROWS, columns], chunks: [1, columns], maxshape: [null, columns] });
const fixed = (columns) => ({ shape: [ROWS, columns], chunks: null, maxshape: [ROWS, columns] });

/** As ts/types and docs/slides.md promise; `savetodir` is wherever the test ran. */
const trident = (dtype, savetodir) => ({
  attributes: {},
  datasets: {
    features: {
      dtype,
      ...growing(D),
      attributes: { name: text('slidé 1'), savetodir: text(savetodir), encoder: text('lmc') },
    },
    coords: {
      dtype: 'int64',
      ...growing(2),
      attributes: {
        patch_size: int(256),
        patch_size_level0: int(512),
        level0_magnification: int(40),
        target_magnification: int(20),
        overlap: int(32),
        name: text('slidé 1'),
        level0_width: int(40_000),
        level0_height: int(30_000),
      },
    },
  },
});

const EXPECTED = {
  'trident/a.h5': trident('float32', join(folder, 'trident')),
  'half/a.h5': trident('float16', join(folder, 'half')),
  'clam/h5_files/a.h5': {
    attributes: {},
    datasets: {
      features: { dtype: 'float32', ...growing(D), attributes: {} },
      coords: { dtype: 'int32', ...growing(2), attributes: {} },
    },
  },
  'stamp/a.h5': {
    attributes: {
      stamp_version: text('2.3.0'),
      extractor: text('lmc'),
      unit: text('um'),
      tile_size_um: real(128),
      tile_size_px: int(256),
      code_hash: text('0a1b'),
      feat_type: text('tile'),
    },
    datasets: {
      feats: { dtype: 'float16', ...fixed(D), attributes: {} },
      coords: { dtype: 'float32', ...fixed(2), attributes: {} },
    },
  },
};

test.before(async () => {
  await ready;
  for (const [name, options] of FILES) {
    const full = { geometry: GEOMETRY, encoder: 'lmc', ...options };
    await writeFeatures(join(folder, name), chunks(ROWS, D), full);
  }
});

/** What h5wasm says of a file, in the words of NumPy. */
function describe(path) {
  const file = new File(path, 'r');
  const attributes = (of) =>
    Object.fromEntries(
      Object.entries(of.attrs).map(([name, { metadata, value }]) => [
        name,
        typeof value === 'string'
          ? [metadata.vlen && metadata.cset === 1 ? 'str' : 'bytes', value]
          : [dtype(metadata), Number(value)],
      ]),
    );
  const datasets = {};
  for (const name of file.keys()) {
    const dataset = file.get(name);
    if (!(dataset instanceof Dataset)) throw new Error(`${name} is no dataset`);
    const { metadata } = dataset;
    datasets[name] = {
      dtype: dtype(metadata),
      shape: metadata.shape,
      chunks: metadata.chunks,
      maxshape: metadata.maxshape.map((side) =>
        Number(side) >= 2 ** 63 || Number(side) < 0 ? null : Number(side),
      ),
      attributes: attributes(dataset),
    };
  }
  const found = { attributes: attributes(file), datasets };
  file.close();
  return found;
}

const dtype = ({ type, size, signed, littleEndian }) =>
  `${littleEndian ? '' : 'big-endian '}${type === 1 ? 'float' : signed ? 'int' : 'uint'}${8 * size}`;

for (const [name, expected] of Object.entries(EXPECTED)) {
  test(`${name}: as the HDF5 library sees it`, (t) => {
    t.deepEqual(describe(join(folder, name)), expected);
  });
}

const asked = spawnSync(PYTHON, ['-c', 'import h5py, numpy'], { encoding: 'utf8' });
const reason =
  asked.status === 0 ? undefined : (asked.error?.message ?? asked.stderr.trim().split('\n').at(-1));
if (reason !== undefined) console.log(`skipped: ${PYTHON} cannot import h5py and numpy (${reason})`);

(reason ? test.skip : test)('h5py, and loaders like those of CLAM, TRIDENT and STAMP', async (t) => {
  const script = fileURLToPath(new URL('readers.py', import.meta.url));
  const { stdout } = await run(PYTHON, [script, folder]);
  const found = JSON.parse(stdout);
  t.deepEqual(found.described, EXPECTED);
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const features = allValues(ROWS, D);
  const row = [...features.slice(3 * D, 4 * D)];
  const sums = (scale = 1) => {
    const coords = allPlaces(ROWS, scale);
    return [sum(features), sum(coords), row, [...coords.slice(6, 8)]];
  };
  t.deepEqual(found.clam, sums());
  t.deepEqual(found.trident, [...sums(), 'lmc', 512, [ROWS - 1, (ROWS - 1) / 512]]);
  t.deepEqual(found.stamp, [...sums(0.25), 128, 256, [2, 3, 0], 'lmc']);
  t.deepEqual(found.numpy, sums());
  t.deepEqual(found.appended, [ROWS + 2, sum(features) + sum(features.slice(0, 2 * D)), [0, 1, 2]]);
  if (found.parquet === null) t.log('no pyarrow: parquet was not read by it');
  else t.deepEqual(found.parquet, [...sums(), 'list<element: float not null>', 'slidé 1']);
  if (found.safetensors === null) t.log('no safetensors: its file was not read by it');
  else t.deepEqual(found.safetensors, [...sums(), 'slidé 1']);
});
