// Embeddings of other tools: test/data/embeddings/make.py wrote the files, with h5py and pyarrow.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { openEmbeddings } from '../../lib/api/evaluate-files.js';
import { openEmbeddingFile } from '../../lib/data/embedding-file.js';
import { toFloat32 } from '../../lib/data/numbers.js';
import { writeSafetensors } from '../../lib/data/safetensors.js';
import { writeEmbeddings } from '../../lib/index.js';
import { sharedFolder } from './tiles.js';

const folder = sharedFolder(test);
const made = (name) => fileURLToPath(new URL(`embeddings/${name}`, import.meta.url));
/** Row r, column c: r + c / 4. */
const VALUES = Float32Array.from({ length: 15 }, (_, i) => Math.floor(i / 3) + (i % 3) / 4);
const NAMES = [0, 1, 2, 3, 4].map((i) => `tiles/${i}.png`);
const refused = (message) => ({ code: 'STAINFOLD_EMBEDDINGS', message });

for (const name of ['trident.h5', 'clam.h5', 'stamp.h5', 'columns.parquet', 'list.parquet']) {
  test(`${name}: the values that were written`, async (t) => {
    const { rows, columns, names, read } = await openEmbeddingFile(made(name));
    t.deepEqual([rows, columns], [5, 3]);
    t.deepEqual(names, name === 'list.parquet' ? NAMES : undefined);
    t.deepEqual(await read(), VALUES);
  });
}

test('h5 with names: rows in the file’s order', async (t) => {
  const { names, read } = await openEmbeddingFile(made('named.h5'));
  t.deepEqual(names, NAMES.toReversed());
  t.deepEqual((await read()).slice(0, 3), VALUES.slice(12));
});

test('what writeEmbeddings wrote comes back, with its names', async (t) => {
  for (const extension of ['npy', 'safetensors']) {
    const path = join(folder, `own.${extension}`);
    await writeEmbeddings(path, { data: VALUES, shape: [5, 3] }, NAMES);
    const { names, read } = await openEmbeddingFile(path);
    t.deepEqual(names, NAMES);
    t.deepEqual(await read(), VALUES);
  }
});

test('npy: float16, float64, Fortran order, version 2', async (t) => {
  const write = async (name, descr, fortran, bytes, version = 1) => {
    const text = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': (5, 3), }\n`;
    const prefix = Buffer.from(
      version === 1 ? [0x93, 78, 85, 77, 80, 89, 1, 0, 0, 0] : [0x93, 78, 85, 77, 80, 89, 2, 0, 0, 0, 0, 0],
    );
    if (version === 1) prefix.writeUInt16LE(text.length, 8);
    else prefix.writeUInt32LE(text.length, 8);
    const path = join(folder, name);
    await writeFile(path, Buffer.concat([prefix, Buffer.from(text), Buffer.from(bytes)]));
    return openEmbeddingFile(path);
  };
  const doubles = new Uint8Array(Float64Array.from(VALUES).buffer);
  t.deepEqual(await (await write('f8.npy', '<f8', 'False', doubles, 2)).read(), VALUES);
  const columns = Float32Array.from({ length: 15 }, (_, i) => VALUES[(i % 5) * 3 + Math.floor(i / 5)]);
  t.deepEqual(
    await (await write('fortran.npy', '<f4', 'True', new Uint8Array(columns.buffer))).read(),
    VALUES,
  );
  await t.throwsAsync(write('i4.npy', '<i4', 'False', new Uint8Array(60)), refused(/type is <i4/));
  await t.throwsAsync(
    write('short.npy', '<f4', 'False', new Uint8Array(59)),
    refused(/bytes where \[5,3\] takes/),
  );
  const odd = VALUES.slice();
  odd[7] = Number.NaN;
  const nan = await write('nan.npy', '<f4', 'False', new Uint8Array(odd.buffer));
  await t.throwsAsync(nan.read(), refused(/row 2 holds NaN/));
});

test('half precision and bfloat16', (t) => {
  const half = (words) => [...toFloat32(new Uint8Array(Uint16Array.from(words).buffer), 'F16')];
  // Largest, smallest normal, smallest subnormal, -2, infinity: IEEE 754 binary16.
  t.deepEqual(half([0x7bff, 0x0400, 0x0001, 0xc000, 0x7c00]), [
    65504,
    2 ** -14,
    2 ** -24,
    -2,
    Number.POSITIVE_INFINITY,
  ]);
  t.true(Number.isNaN(half([0x7e00])[0]));
  t.deepEqual([...toFloat32(new Uint8Array(Uint16Array.of(0x3fc0, 0xc000).buffer), 'BF16')], [1.5, -2]);
});

test('safetensors: the one matrix, or the one with a known name', async (t) => {
  const write = async (name, tensors) => {
    const path = join(folder, name);
    const specs = tensors.map(([tensor, shape]) => ({ name: tensor, dtype: 'F32', shape }));
    await writeSafetensors(
      path,
      specs,
      specs.map(({ shape }) => new Uint8Array(4 * shape.reduce((a, b) => a * b))),
    );
    return openEmbeddingFile(path);
  };
  t.is(
    (
      await write('one.safetensors', [
        ['whatever', [4, 2]],
        ['scale', [3]],
      ])
    ).rows,
    4,
  );
  t.is(
    (
      await write('known.safetensors', [
        ['a', [4, 2]],
        ['features', [6, 2]],
      ])
    ).rows,
    6,
  );
  await t.throwsAsync(
    write('two.safetensors', [
      ['a', [4, 2]],
      ['b', [4, 2]],
    ]),
    refused(/'a' F32 \[4,2\], 'b'/),
  );
});

test('what is no file of embeddings', async (t) => {
  const text = join(folder, 'text.h5');
  await writeFile(text, 'not HDF5 at all');
  await t.throwsAsync(openEmbeddingFile(text), refused(/not an HDF5 file/));
  await t.throwsAsync(
    openEmbeddingFile(made('empty.h5')),
    refused(/no dataset features, feats.*only coords/),
  );
  await writeFile(join(folder, 'text.npy'), 'no');
  await t.throwsAsync(openEmbeddingFile(join(folder, 'text.npy')), refused(/not a \.npy file/));
  await writeFile(join(folder, 'text.parquet'), 'this is no parquet file');
  await t.throwsAsync(openEmbeddingFile(join(folder, 'text.parquet')), refused(/parquet/));
  await t.throwsAsync(openEmbeddingFile('z.csv'), refused(/extension is none of \.h5/));
  for (const extension of ['h5', 'npy', 'safetensors', 'parquet']) {
    await t.throwsAsync(openEmbeddingFile(join(folder, `none.${extension}`)), {
      code: 'STAINFOLD_FILE_NOT_FOUND',
    });
  }
});

test('rows and tiles: by name where there are names, else by order', async (t) => {
  const manifest = join(folder, 'manifest.csv');
  const lines = [3, 0, 4, 1, 2].map((i) => `elsewhere/${i}.tif,${i % 2 ? 'A' : 'B'}`);
  await writeFile(manifest, `file,site\n${lines.join('\n')}\n`);
  const first = async (path, where = {}) => {
    const { tiles, columns, open } = await openEmbeddings({ tiles: manifest, where }, [path], undefined);
    t.deepEqual(columns, ['site']);
    const { data } = await open[0].matrix();
    t.is(data.length, 3 * tiles.length);
    return Array.from(data.filter((_, i) => i % 3 === 0));
  };
  t.deepEqual(
    await first(made('named.h5')),
    [3, 0, 4, 1, 2],
    'by the last part of the path, without its extension',
  );
  t.deepEqual(await first(made('list.parquet'), { site: 'A' }), [3, 1]);
  t.deepEqual(await first(made('clam.h5')), [0, 1, 2, 3, 4]);
  t.deepEqual(await first(made('clam.h5'), { site: 'A' }), [0, 3], 'rows of the whole manifest');
  await writeFile(manifest, `file,site\n${[...lines, 'elsewhere/9.tif,A'].join('\n')}\n`);
  await t.throwsAsync(first(made('clam.h5')), refused(/has 5 rows and names none, the manifest has 6/));
  await t.throwsAsync(
    first(made('named.h5')),
    refused(/no row for 1 of 6 tiles; the first is 'elsewhere\/9\.tif'/),
  );
  await t.throwsAsync(first(made('clam.h5'), { site: 'B' }), refused(/of which 3 are selected/));
});

test('names of the table’s rows', async (t) => {
  const manifest = join(folder, 'five.csv');
  await writeFile(manifest, `file\n${NAMES.join('\n')}\n`);
  const selection = { tiles: manifest, where: {} };
  const { open } = await openEmbeddings(selection, [made('clam.h5'), made('list.parquet')], undefined);
  t.deepEqual(
    open.map(({ name }) => name),
    ['clam', 'list'],
  );
  const twice = await openEmbeddings(selection, [made('clam.h5'), made('clam.h5')], undefined);
  t.deepEqual(
    twice.open.map(({ name }) => name),
    [made('clam.h5'), made('clam.h5')],
  );
});
