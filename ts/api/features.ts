import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { openEmbeddingFile } from '../data/embedding-file.js';
import { ownArray } from '../data/own-tile.js';
import { StainfoldError } from '../errors.js';
import { writeFailure } from '../files/atomic.js';
import { validate } from '../internal/validate.js';
import { writeFeaturesSchema } from '../internal/validate-features.js';
import { ChunkLog } from '../stores/chunk-log.js';
import { facts } from '../stores/facts.js';
import { precisionOf } from '../stores/layouts.js';
import { formatOf, writeStore } from '../stores/write.js';
import type { FeatureChunk, StoredFeatures, WriteFeaturesOptions, WrittenFeatures } from '../types.js';

/**
 * Writes a slide's features as other tools read them: HDF5 in the layouts of TRIDENT, CLAM and STAMP, safetensors, Parquet, NPY,
 * Zarr. Chunks are taken as they come and never held together; the file appears when it is whole.
 *
 * @param path Its extension is the format: .h5, .safetensors, .parquet, .npy (coords and facts beside it), .zarr (a folder).
 *
 * @example
 * const geometry = { slide: 'a', width: 4096, height: 4096, mpp: 0.25, tileSize: 256, tileMpp: 0.5 };
 * const { shape } = await writeFeatures('a.h5', chunks, { layout: 'trident', geometry, encoder: 'lmc' }); // [64, 128]
 *
 * @throws STAINFOLD_OPTION; STAINFOLD_DTYPE, STAINFOLD_SHAPE where a chunk is of other types, contradicts itself or the first;
 *   STAINFOLD_NON_FINITE; STAINFOLD_EMBEDDINGS where values are beyond fp16; STAINFOLD_FILE_WRITE. The path is then as it was.
 */
export async function writeFeatures(
  path: string,
  chunks: Iterable<FeatureChunk> | AsyncIterable<FeatureChunk>,
  options: WriteFeaturesOptions = {},
): Promise<WrittenFeatures> {
  const { layout, precision, geometry, encoder, attributes, signal, ...rest } = validate(
    writeFeaturesSchema,
    options,
  );
  const format = rest.format ?? formatOf(path);
  if (format !== 'h5' && layout !== 'plain') {
    throw new StainfoldError(
      'STAINFOLD_OPTION',
      `Layout ${layout} is one of HDF5 files, got ${extname(path)}`,
    );
  }
  const folder = dirname(resolve(path));
  const description = {
    layout,
    precision: precisionOf(layout, precision),
    geometry,
    encoder,
    folder,
    attributes: { ...facts(geometry, encoder), ...attributes },
  };
  const spool = `${path}.${randomBytes(4).toString('hex')}.part`;
  try {
    await mkdir(folder, { recursive: true });
    await using log = await collect(spool, chunks, signal);
    const files = await writeStore(path, format, log, description);
    return { files, shape: [log.rows, log.columns] };
  } catch (error) {
    throw writeFailure(path, error);
  } finally {
    await rm(spool, { force: true });
  }
}

const kindOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);

/** A copy: what is written is what was given, whatever becomes of the caller's memory meanwhile. */
function ownChunk({ features, coords }: FeatureChunk): FeatureChunk {
  if (!(features instanceof Float32Array && coords instanceof Int32Array)) {
    throw new StainfoldError(
      'STAINFOLD_DTYPE',
      `A chunk has a Float32Array of features and an Int32Array of coords, got ${kindOf(features)} and ${kindOf(coords)}`,
      { hint: 'Convert them: coordinates are whole level-0 pixels.' },
    );
  }
  return { features: ownArray(features, "a chunk's features"), coords: ownArray(coords, "a chunk's coords") };
}

/** The number of rows stands at the front of most formats, and is known at the end: until then they lie in a file. */
async function collect(
  spool: string,
  chunks: Iterable<FeatureChunk> | AsyncIterable<FeatureChunk>,
  signal: AbortSignal | undefined,
): Promise<ChunkLog<null>> {
  let log: ChunkLog<null> | undefined;
  try {
    for await (const chunk of chunks) {
      signal?.throwIfAborted();
      const { features, coords } = ownChunk(chunk);
      const rows = coords.length / 2;
      const columns = log?.columns ?? features.length / rows;
      if (rows === 0 && features.length === 0) continue;
      if (
        !Number.isInteger(rows) ||
        !(Number.isInteger(columns) && columns > 0) ||
        features.length !== rows * columns
      ) {
        throw new StainfoldError(
          'STAINFOLD_SHAPE',
          `A chunk of ${features.length} features and ${coords.length} coords is no whole number of tiles${log ? ` of ${columns} dimensions` : ''}`,
          { hint: 'Give [n,d] features and [n,2] coords, d the same in all chunks.' },
        );
      }
      log ??= await ChunkLog.open<null>(spool, null, columns);
      await log.append({ note: null, features, coords });
    }
  } catch (error) {
    await log?.close();
    throw error;
  }
  if (log !== undefined) return log;
  throw new StainfoldError('STAINFOLD_SHAPE', 'There are no features: every chunk is empty', {
    hint: 'Give at least one tile.',
  });
}

/**
 * Reads features that `writeFeatures`, TRIDENT, CLAM, STAMP, LazySlide or others wrote: .h5, .npy, .safetensors, .parquet, .zarr.
 *
 * @example
 * const { shape, coords, attributes } = await readFeatures('a.h5');
 *
 * @throws STAINFOLD_EMBEDDINGS where it holds no matrix of finite numbers, STAINFOLD_FILE_NOT_FOUND, STAINFOLD_FILE_READ,
 *   STAINFOLD_SAFETENSORS.
 */
export async function readFeatures(path: string): Promise<StoredFeatures> {
  const file = await openEmbeddingFile(path);
  const [coords, attributes] = [await file.coords(), await file.attributes()];
  return { data: await file.read(), shape: [file.rows, file.columns], coords, attributes };
}
