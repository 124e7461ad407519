import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { readSafetensors } from '../../lib/data/safetensors.js';
import { writeEmbeddings } from '../../lib/index.js';
import { temporaryFolder } from '../data/tiles.js';

const data = Float32Array.of(0.1, -2, 1e-30, Number.NaN, 5, 6);
const embeddings = { data, shape: [3, 2] };
const tiles = [
  { file: 'a.png', labels: { site: 'A, "x"' } },
  { file: 'b,c.png', labels: {} },
  { file: ' d.png', labels: { site: 'B', n: '1' } },
];

test('npy: what NumPy reads, names beside it', async (t) => {
  const path = join(await temporaryFolder(t), 'z.npy');
  const names = path.replace('.npy', '.tiles.csv');
  t.deepEqual(await writeEmbeddings(path, embeddings, tiles), [path, names]);
  const bytes = await readFile(path);
  t.is(bytes.subarray(0, 8).toString('latin1'), '\x93NUMPY\x01\x00');
  const header = bytes.subarray(10, 10 + bytes.readUInt16LE(8)).toString('latin1');
  t.regex(header, /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(3, 2\), \} *\n$/);
  t.is((10 + header.length) % 64, 0);
  t.deepEqual(new Float32Array(new Uint8Array(bytes.subarray(10 + header.length)).buffer), data);
  t.is(await readFile(names, 'utf8'), 'file,site,n\na.png,"A, ""x""",\n"b,c.png",,\n" d.png",B,1\n');
});

test('safetensors: one tensor, the tiles in the metadata', async (t) => {
  const path = join(await temporaryFolder(t), 'z.safetensors');
  t.deepEqual(await writeEmbeddings(path, embeddings, tiles), [path]);
  const { metadata, tensors, data: bytes } = await readSafetensors(path);
  t.deepEqual(
    tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
    [{ name: 'embeddings', dtype: 'F32', shape: [3, 2] }],
  );
  t.deepEqual(new Float32Array(bytes.buffer), data);
  t.deepEqual(JSON.parse(metadata.tiles), [
    { file: 'a.png', site: 'A, "x"' },
    { file: 'b,c.png' },
    { file: ' d.png', site: 'B', n: '1' },
  ]);
});

test('csv: float32 values that read back the same', async (t) => {
  const path = join(await temporaryFolder(t), 'z.CSV');
  await writeEmbeddings(path, embeddings, ['a', 'b', 'c']);
  const [header, ...lines] = (await readFile(path, 'utf8')).trimEnd().split('\n');
  t.is(header, 'file,z0,z1');
  t.deepEqual(Float32Array.from(lines.flatMap((line) => line.split(',').slice(1).map(Number))), data);
});

test('csv: more rows than a block', async (t) => {
  const path = join(await temporaryFolder(t), 'z.csv');
  const rows = 300;
  const many = Array.from({ length: rows }, (_, i) => `t${i}`);
  await writeEmbeddings(
    path,
    { data: Float32Array.from({ length: rows }, (_, i) => i), shape: [rows, 1] },
    many,
  );
  t.deepEqual(
    (await readFile(path, 'utf8')).trimEnd().split('\n').slice(1),
    many.map((name, i) => `${name},${i}`),
  );
});

test('a view into a larger buffer is written alone', async (t) => {
  const path = join(await temporaryFolder(t), 'z.safetensors');
  await writeEmbeddings(path, { data: data.subarray(2, 4), shape: [1, 2] }, ['a']);
  t.deepEqual(new Float32Array((await readSafetensors(path)).data.buffer), data.slice(2, 4));
});

test('another extension, another number of tiles, no folder', async (t) => {
  const folder = await temporaryFolder(t);
  await t.throwsAsync(writeEmbeddings(join(folder, 'z.h5'), embeddings, tiles), {
    code: 'STAINFOLD_OPTION',
    message: /\.npy, \.safetensors or \.csv.*z\.h5/,
  });
  await t.throwsAsync(writeEmbeddings(join(folder, 'z.npy'), embeddings, tiles.slice(1)), {
    code: 'STAINFOLD_SHAPE',
    message: /2 tiles/,
  });
  await t.throwsAsync(writeEmbeddings(join(folder, 'no', 'z.npy'), embeddings, tiles), {
    code: 'STAINFOLD_FILE_WRITE',
  });
});
