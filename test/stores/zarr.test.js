// Zarr that other tools write: AnnData's X in version 2, compressed, in chunks that don't fit the shape.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { toFloat16 } from '../../lib/data/numbers.js';
import { readFeatures } from '../../lib/index.js';
import { temporaryFolder } from '../data/tiles.js';

const ROWS = 5;
const COLUMNS = 3;
const value = (r, c) => r + c / 4;
const VALUES = Float32Array.from({ length: 15 }, (_, i) => value(Math.floor(i / 3), i % 3));

/** [5,3] in chunks of [2,2], the last of each side padded. */
async function writeX(folder, dtype, encode) {
  const x = join(folder, 'X');
  await mkdir(x, { recursive: true });
  await writeFile(join(folder, '.zgroup'), JSON.stringify({ zarr_format: 2 }));
  await writeFile(
    join(folder, '.zattrs'),
    JSON.stringify({ 'encoding-type': 'anndata', mpp: 0.5, nested: { a: 1 } }),
  );
  const array = { zarr_format: 2, shape: [ROWS, COLUMNS], chunks: [2, 2], dtype, order: 'C', filters: null };
  const compressor = { id: 'gzip', level: 1 };
  await writeFile(join(x, '.zarray'), JSON.stringify({ ...array, fill_value: 0, compressor }));
  for (let r = 0; r < 3; r++) {
    for (let c = 0; c < 2; c++) {
      const chunk = Float32Array.from({ length: 4 }, (_, i) => {
        const [row, column] = [2 * r + (i >> 1), 2 * c + (i & 1)];
        return row < ROWS && column < COLUMNS ? value(row, column) : 99;
      });
      await writeFile(join(x, `${r}.${c}`), gzipSync(new Uint8Array(encode(chunk).buffer)));
    }
  }
}

for (const [dtype, encode] of [
  ['<f4', (chunk) => chunk],
  ['<f8', (chunk) => Float64Array.from(chunk)],
  ['<f2', toFloat16],
]) {
  test(`version 2, ${dtype}, gzip: X is the matrix`, async (t) => {
    const folder = join(await temporaryFolder(t), 'slide.zarr');
    await writeX(folder, dtype, encode);
    const { data, shape, coords, attributes } = await readFeatures(folder);
    t.deepEqual(shape, [ROWS, COLUMNS]);
    t.deepEqual(data, VALUES);
    t.is(coords, undefined);
    t.deepEqual(attributes, { 'encoding-type': 'anndata', mpp: 0.5 });
  });
}

test('what is no matrix of floats', async (t) => {
  const folder = join(await temporaryFolder(t), 'slide.zarr');
  await t.throwsAsync(readFeatures(folder), { code: 'STAINFOLD_FILE_NOT_FOUND' });
  await mkdir(folder);
  const refused = (message) => t.throwsAsync(readFeatures(folder), { code: 'STAINFOLD_EMBEDDINGS', message });
  await refused(/no array features, .* or X, only none/);
  await writeX(folder, '<i4', (chunk) => Int32Array.from(chunk));
  await refused(/'X' holds int32, not floats/);
  await writeFile(join(folder, 'X', '.zarray'), '{');
  await refused(/JSON/);
});
