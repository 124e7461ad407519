import { extname } from 'node:path';
import { csvLine } from '../data/csv.js';
import { npyHeader } from '../data/npy.js';
import { ownArray } from '../data/own-tile.js';
import { writeSafetensors } from '../data/safetensors.js';
import { StainfoldError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic.js';
import type { Embeddings, EmbeddingTile } from '../types.js';

/** Rows of CSV formatted between two turns of the event loop. */
const CSV_BLOCK = 128;

/**
 * Writes embeddings and what they are of. The extension decides:
 * `.npy` a float32 matrix, its rows named in `<name>.tiles.csv` beside it;
 * `.safetensors` the tensor `embeddings` [N,d], the tiles as JSON in the metadata's `tiles`;
 * `.csv` a line a tile: file, labels, z0 to z<d-1>.
 *
 * @param names The tiles' names, or names with labels, a row each.
 * @returns The files written.
 *
 * @example
 * await writeEmbeddings('z.npy', await encoder.embed(paths), tiles); // ['z.npy', 'z.tiles.csv']
 *
 * @throws STAINFOLD_OPTION for another extension; STAINFOLD_SHAPE where tiles and rows differ in number; STAINFOLD_FILE_WRITE.
 */
export async function writeEmbeddings(
  path: string,
  embeddings: Embeddings,
  names: readonly (string | EmbeddingTile)[],
): Promise<string[]> {
  const tiles = names.map((name) => (typeof name === 'string' ? { file: name, labels: {} } : name));
  const { shape } = embeddings;
  const data = ownRows(embeddings.data);
  const [rows, columns] = shape;
  if (tiles.length !== rows || data.length !== rows * columns) {
    throw new StainfoldError(
      'STAINFOLD_SHAPE',
      `Embeddings of shape [${rows},${columns}] hold ${data.length} values and belong to ${tiles.length} tiles`,
      { hint: 'Give one tile for each row.' },
    );
  }
  // The formats are little-endian, and so is every platform that LibTorch runs on.
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const extension = extname(path).toLowerCase();
  if (extension === '.safetensors') {
    const metadata = { tiles: JSON.stringify(tiles.map(({ file, labels }) => ({ file, ...labels }))) };
    await writeSafetensors(
      path,
      [{ name: 'embeddings', dtype: 'F32', shape: [rows, columns] }],
      [bytes],
      metadata,
    );
    return [path];
  }
  if (extension === '.npy') {
    const names = `${path.slice(0, -extension.length)}.tiles.csv`;
    await writeFileAtomic(names, csvBlocks(tiles, undefined));
    await writeFileAtomic(path, [npyHeader(rows, columns), bytes]);
    return [path, names];
  }
  if (extension === '.csv') {
    await writeFileAtomic(path, csvBlocks(tiles, { data, shape }));
    return [path];
  }
  throw new StainfoldError(
    'STAINFOLD_OPTION',
    `Embeddings must go to a .npy, .safetensors or .csv file, got '${path}'`,
  );
}

/** A copy: what is written is what was given, whatever becomes of the caller's memory meanwhile. */
function ownRows(data: Float32Array): Float32Array {
  if (!(data instanceof Float32Array)) {
    throw new StainfoldError('STAINFOLD_DTYPE', 'Embeddings must be a Float32Array', {
      hint: 'Give what encoder.embed returns, or the same of your own.',
    });
  }
  return ownArray(data, 'the embeddings');
}

async function* csvBlocks(
  tiles: readonly EmbeddingTile[],
  embeddings: Embeddings | undefined,
): AsyncGenerator<Uint8Array> {
  const columns = [...new Set(tiles.flatMap(({ labels }) => Object.keys(labels ?? {})))];
  const dimensions = embeddings?.shape[1] ?? 0;
  const values = Array.from({ length: dimensions }, (_, i) => `z${i}`);
  yield Buffer.from(csvLine(['file', ...columns, ...values]));
  for (let start = 0; start < tiles.length; start += CSV_BLOCK) {
    const lines = tiles.slice(start, start + CSV_BLOCK).map(({ file, labels }, i) => {
      const row = start + i;
      const z = embeddings?.data.subarray(row * dimensions, (row + 1) * dimensions) ?? [];
      return csvLine([file, ...columns.map((column) => labels?.[column] ?? ''), ...z]);
    });
    yield Buffer.from(lines.join(''));
  }
}
