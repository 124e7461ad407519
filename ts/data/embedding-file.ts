/** Embeddings that other tools wrote: which reader, and what a reader gives. */
import { extname } from 'node:path';
import { StainfoldError } from '../errors.js';
import { readError, reasonOf } from './file-errors.js';

/** A file whose header was read: its values are not. */
export interface EmbeddingFile {
  rows: number;
  columns: number;
  /** What each row is of, where the file says it. */
  names: string[] | undefined;
  /** [rows,columns], as float32. */
  read(): Promise<Float32Array>;
  /** [rows,2], as stored; undefined where the file has none. */
  coords?(): Promise<Float64Array | undefined>;
  /** What the file says beside them. */
  attributes?(): Promise<Record<string, string | number>>;
}

/** Names of a dataset, tensor or column of embeddings, by preference. */
export const MATRIX_NAMES = ['features', 'feats', 'embeddings', 'embedding', 'z'] as const;
/** Name of a dataset, tensor or array of the tiles' places. */
export const COORDS_NAME = 'coords';
/** Names of a dataset or column that says which tile a row is of. */
export const FILE_NAMES = ['file', 'files', 'name', 'names', 'path', 'paths', 'filename', 'tile'] as const;

/** Values converted between two turns of the event loop, or read at a time. */
export const VALUES_AT_ONCE = 1 << 20;

const READERS: Record<string, () => Promise<(path: string) => Promise<EmbeddingFile>>> = {
  '.h5': async () => (await import('./embedding-h5.js')).openH5,
  '.hdf5': async () => (await import('./embedding-h5.js')).openH5,
  '.npy': async () => (await import('./embedding-npy.js')).openNpy,
  '.safetensors': async () => (await import('./embedding-safetensors.js')).openSafetensors,
  '.parquet': async () => (await import('./embedding-parquet.js')).openParquet,
  '.zarr': async () => (await import('./embedding-zarr.js')).openZarr,
};

/**
 * Opens a .h5, .npy, .safetensors or .parquet file or a .zarr folder. Libraries are loaded when a file of theirs is opened.
 *
 * @throws STAINFOLD_EMBEDDINGS where it holds no matrix of numbers, STAINFOLD_FILE_NOT_FOUND, STAINFOLD_FILE_READ,
 *   STAINFOLD_SAFETENSORS.
 */
export async function openEmbeddingFile(path: string): Promise<Required<EmbeddingFile>> {
  const reader = READERS[extname(path).toLowerCase()];
  if (reader === undefined) throw unfit(path, `its extension is none of ${Object.keys(READERS).join(', ')}`);
  const guarded = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof StainfoldError) throw cause;
      if (cause !== null && typeof cause === 'object' && 'syscall' in cause) throw readError(path, cause);
      throw unfit(path, reasonOf(cause), cause);
    }
  };
  const file = await guarded(async () => (await reader())(path));
  if (file.rows === 0 || file.columns === 0) {
    throw unfit(path, `its matrix is empty, [${file.rows},${file.columns}]`);
  }
  return {
    ...file,
    read: () =>
      guarded(async () => {
        const data = await file.read();
        const odd = data.findIndex((value) => !Number.isFinite(value));
        if (odd === -1) return data;
        throw unfit(path, `row ${Math.floor(odd / file.columns)} holds ${data[odd]}`);
      }),
    coords: () => guarded(async () => file.coords?.()),
    attributes: () => guarded(async () => (await file.attributes?.()) ?? {}),
  };
}

export function unfit(path: string, detail: string, cause?: unknown): StainfoldError {
  return new StainfoldError('STAINFOLD_EMBEDDINGS', `${path} holds no usable embeddings: ${detail}`, {
    cause,
  });
}
