/** HDF5 as TRIDENT and CLAM (`features`) and STAMP (`feats`) write it, a slice of rows at a time. */
import { open } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { File as H5File } from 'h5wasm/node';
import {
  COORDS_NAME,
  type EmbeddingFile,
  FILE_NAMES,
  MATRIX_NAMES,
  unfit,
  VALUES_AT_ONCE,
} from './embedding-file.js';
import { type FloatType, toFloat32 } from './numbers.js';

const FLOAT_CLASS = 1; // H5T_FLOAT
const TYPES: Record<number, FloatType> = { 2: 'F16', 4: 'F32', 8: 'F64' };

type Library = typeof import('h5wasm/node');

export async function openH5(path: string): Promise<EmbeddingFile> {
  await checkSignature(path);
  const library = await import('h5wasm/node');
  await library.ready;
  return withFile(library, path, (file) => {
    const matrix = findMatrix(library, file, path);
    const [rows, columns] = matrix.shape;
    return {
      rows,
      columns,
      names: readNames(library, file, rows),
      read: () => withFile(library, path, (again) => readRows(library, again, matrix)),
      coords: () => withFile(library, path, (again) => readCoords(library, again, rows)),
      attributes: () => withFile(library, path, (again) => readAttributes(library, again, matrix.name)),
    };
  });
}

/** A slide in front, as TRIDENT may have it, is left out. */
function readCoords({ Dataset }: Library, file: H5File, rows: number): Float64Array | undefined {
  const entity = file.get(COORDS_NAME);
  if (!(entity instanceof Dataset) || entity.shape?.slice(-2).join() !== `${rows},2`) return undefined;
  const { value } = entity;
  return ArrayBuffer.isView(value)
    ? Float64Array.from(value as unknown as ArrayLike<number | bigint>, Number)
    : undefined;
}

/** Those of the file, of the coordinates and of the features, the last being the least. */
function readAttributes({ Dataset }: Library, file: H5File, matrix: string): Record<string, string | number> {
  const found: Record<string, string | number> = {};
  for (const holder of [file.get(matrix), file.get(COORDS_NAME), file]) {
    if (!(holder instanceof Dataset) && holder !== file) continue;
    for (const [name, { value }] of Object.entries(holder.attrs)) {
      if (typeof value === 'string' || typeof value === 'number') found[name] = value;
      else if (typeof value === 'bigint') found[name] = Number(value);
    }
  }
  return found;
}

/** The library prints its own trace where a file is not HDF5: that is told before it sees it. */
async function checkSignature(path: string): Promise<void> {
  await using file = await open(path);
  const signature = Buffer.alloc(8);
  await file.read(signature, 0, 8, 0);
  if (signature.toString('latin1') !== '\x89HDF\r\n\x1a\n') throw unfit(path, 'it is not an HDF5 file');
}

async function withFile<Result>(
  library: Library,
  path: string,
  use: (file: H5File) => Result | Promise<Result>,
): Promise<Result> {
  const file = new library.File(path, 'r');
  if (file.file_id < 0n) throw unfit(path, 'HDF5 cannot open it: it is damaged, or being written');
  try {
    return await use(file);
  } finally {
    file.close();
  }
}

interface Matrix {
  name: string;
  shape: [rows: number, columns: number];
  /** A slide in front, of extent 1: [1,rows,columns]. */
  leading: number;
  type: FloatType;
}

function findMatrix({ Dataset }: Library, file: H5File, path: string): Matrix {
  const keys = file.keys();
  const name = MATRIX_NAMES.find((candidate) => keys.includes(candidate));
  if (name === undefined) {
    throw unfit(path, `it has no dataset ${MATRIX_NAMES.join(', ')}, only ${keys.join(', ') || 'none'}`);
  }
  const entity = file.get(name);
  if (!(entity instanceof Dataset)) throw unfit(path, `'${name}' is not a dataset`);
  const { shape, metadata } = entity;
  const sides = shape ?? [];
  const leading = sides.length === 3 && sides[0] === 1 ? 1 : 0;
  const type = TYPES[metadata.size];
  if (sides.length - leading !== 2)
    throw unfit(path, `'${name}' has the shape [${sides}], not [rows,columns]`);
  if (metadata.type !== FLOAT_CLASS || type === undefined || !metadata.littleEndian) {
    throw unfit(path, `'${name}' does not hold little-endian floats`);
  }
  return { name, shape: sides.slice(leading) as [number, number], leading, type };
}

async function readRows(library: Library, file: H5File, matrix: Matrix): Promise<Float32Array> {
  const [rows, columns] = matrix.shape;
  const data = new Float32Array(rows * columns);
  const atOnce = Math.max(1, Math.floor(VALUES_AT_ONCE / columns));
  for (let first = 0; first < rows; first += atOnce) {
    const count = Math.min(atOnce, rows - first);
    data.set(readSlice(library, file, matrix, first, count), first * columns);
    await nextTurn();
  }
  return data;
}

/** Past the library's own slice(), which knows no float16. */
function readSlice(
  { Module }: Library,
  file: H5File,
  { name, shape, leading, type }: Matrix,
  first: number,
  count: number,
): Float32Array {
  const bytes = count * shape[1] * { F16: 2, F32: 4, F64: 8, BF16: 2 }[type];
  const heap = Module as unknown as {
    HEAPU8: Uint8Array;
    _malloc(bytes: number): number;
    _free(at: number): void;
  };
  const at = heap._malloc(bytes);
  if (at === 0) throw new Error(`HDF5 is out of memory for ${bytes} bytes`);
  try {
    const front = leading === 1 ? [1] : [];
    const big = (sides: number[]): bigint[] => sides.map(BigInt);
    const status = Module.get_dataset_data(
      file.file_id,
      `/${name}`,
      big([...front, count, shape[1]]),
      big([...front.map(() => 0), first, 0]),
      big([...front, 1, 1]),
      BigInt(at),
    );
    if (status < 0) throw new Error(`'${name}' cannot be read at row ${first}`);
    return toFloat32(heap.HEAPU8.subarray(at, at + bytes), type);
  } finally {
    heap._free(at);
  }
}

function readNames({ Dataset }: Library, file: H5File, rows: number): string[] | undefined {
  const key = FILE_NAMES.find((candidate) => file.keys().includes(candidate));
  const entity = key === undefined ? null : file.get(key);
  if (!(entity instanceof Dataset)) return undefined;
  const { value } = entity;
  const names = Array.isArray(value) ? (value as unknown[]).flat() : [];
  return names.length === rows && names.every((name) => typeof name === 'string') ? names : undefined;
}
