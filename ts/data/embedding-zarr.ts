/** Zarr, version 2 or 3: a folder with an array of floats of a known name, such as AnnData's X; a run of chunks at a time. */
import { open as openFile, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { COORDS_NAME, type EmbeddingFile, MATRIX_NAMES, unfit, VALUES_AT_ONCE } from './embedding-file.js';
import { toFloat32 } from './numbers.js';

type Library = typeof import('zarrita');

/** Chunks that are not there are the fill value: what a description claims beyond these, and beyond what the files hold, is refused. */
const MOST_VALUES = 2 ** 22;
const MOST_VALUES_PER_BYTE = 512;
const MOST_CHUNKS = 4096;
const LEAST_CHUNK_BYTES = 8;
type ZarrArray = Awaited<ReturnType<typeof openArray>>;

export async function openZarr(path: string): Promise<EmbeddingFile> {
  const library = await import('zarrita');
  const members = (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const names = members.map(({ name }) => name);
  const name = [...MATRIX_NAMES, 'X'].find((known) => names.includes(known));
  if (name === undefined) {
    throw unfit(path, `it has no array ${MATRIX_NAMES.join(', ')} or X, only ${names.join(', ') || 'none'}`);
  }
  const matrix = await openArray(library, join(path, name));
  const [rows, columns, more] = matrix.shape;
  if (rows === undefined || columns === undefined || more !== undefined) {
    throw unfit(path, `'${name}' has the shape [${matrix.shape}], not [rows,columns]`);
  }
  if (![rows, columns, matrix.chunkRows].every((side) => Number.isSafeInteger(side) && side >= 0)) {
    throw unfit(
      path,
      `'${name}' has the impossible shape [${matrix.shape}], in chunks of ${matrix.chunkRows} rows`,
    );
  }
  const stored = await bytesBelow(join(path, name));
  const chunks = Math.ceil(rows / matrix.chunkRows) * Math.ceil(columns / matrix.chunkColumns);
  if (
    rows * columns > Math.max(MOST_VALUES, MOST_VALUES_PER_BYTE * stored) ||
    chunks > Math.max(MOST_CHUNKS, stored / LEAST_CHUNK_BYTES)
  ) {
    throw unfit(
      path,
      `the ${stored} bytes of '${name}' cannot hold its [${matrix.shape}] in ${chunks} chunks`,
    );
  }
  if (!matrix.half && matrix.dtype !== 'float32' && matrix.dtype !== 'float64') {
    throw unfit(path, `'${name}' holds ${matrix.dtype}, not floats`);
  }
  return {
    rows,
    columns,
    names: undefined,
    read: () => readRows(library, matrix, rows, columns),
    coords: async () => (names.includes(COORDS_NAME) ? readCoords(library, path, rows) : undefined),
    attributes: () => readAttributes(library, path),
  };
}

async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** float16 is read as the words it is made of: Node 20 has no Float16Array. */
async function openArray({ open, root }: Library, folder: string) {
  let half = false;
  const asWords = (text: string): Uint8Array => {
    const described = JSON.parse(text) as Record<string, unknown> | null;
    if (typeof described !== 'object' || described === null)
      throw new Error('its description is no JSON object');
    half = described.data_type === 'float16' || described.dtype === '<f2';
    if (!half) return Buffer.from(text);
    const words = described.data_type === undefined ? { dtype: '<u2' } : { data_type: 'uint16' };
    return Buffer.from(JSON.stringify({ ...described, ...words, fill_value: 0 }));
  };
  const files = folderStore(folder);
  const store = {
    ...files,
    async get(key: string): Promise<Uint8Array | undefined> {
      const bytes = await files.get(key);
      const describes = bytes !== undefined && /^\/(zarr\.json|\.zarray)$/.test(key);
      return describes ? asWords(Buffer.from(bytes).toString()) : bytes;
    },
  };
  const array = await open(root(store), { kind: 'array' });
  const { shape, chunks, dtype } = array;
  if (!Array.isArray(shape) || !Array.isArray(chunks))
    throw new Error('its description has no shape or chunks');
  return {
    array,
    half,
    shape,
    dtype: dtype as string,
    chunkRows: chunks[0] ?? 1,
    chunkColumns: chunks[1] ?? 1,
  };
}

/** What zarrita reads from; a file that is not there is a chunk that was never written. */
function folderStore(folder: string) {
  const ifThere = async <Result>(read: () => Promise<Result>): Promise<Result | undefined> => {
    try {
      return await read();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  };
  return {
    get: (key: string): Promise<Uint8Array | undefined> => ifThere(() => readFile(join(folder, key))),
    getRange: (key: string, range: Range): Promise<Uint8Array | undefined> =>
      ifThere(async () => {
        await using file = await openFile(join(folder, key));
        const length = 'length' in range ? range.length : range.suffixLength;
        const start = 'offset' in range ? range.offset : (await file.stat()).size - length;
        const bytes = new Uint8Array(length);
        await file.read(bytes, 0, length, start);
        return bytes;
      }),
  };
}

type Range = { offset: number; length: number } | { suffixLength: number };

async function readRows(
  { get, slice }: Library,
  { array, half, chunkRows }: ZarrArray,
  rows: number,
  columns: number,
): Promise<Float32Array> {
  const data = new Float32Array(rows * columns);
  const atOnce = Math.max(1, Math.floor(VALUES_AT_ONCE / columns / chunkRows) * chunkRows);
  for (let first = 0; first < rows; first += atOnce) {
    const part = await get(array, [slice(first, Math.min(rows, first + atOnce)), null]);
    const values = part.data as unknown as Float32Array | Float64Array | Uint16Array;
    const { buffer, byteOffset, byteLength } = values;
    data.set(
      half ? toFloat32(new Uint8Array(buffer, byteOffset, byteLength), 'F16') : values,
      first * columns,
    );
    await nextTurn();
  }
  return data;
}

async function readCoords(library: Library, path: string, rows: number): Promise<Float64Array | undefined> {
  const { array, shape } = await openArray(library, join(path, COORDS_NAME));
  if (shape.join() !== `${rows},2`) return undefined;
  const { data } = await library.get(array);
  return Float64Array.from(data as unknown as ArrayLike<number | bigint>, Number);
}

async function readAttributes(library: Library, path: string): Promise<Record<string, string | number>> {
  try {
    const group = await library.open(library.root(folderStore(path)), { kind: 'group' });
    const entries = Object.entries(group.attrs).filter(([, value]) => /string|number/.test(typeof value));
    return Object.fromEntries(entries) as Record<string, string | number>;
  } catch {
    return {}; // arrays without a group around them
  }
}
