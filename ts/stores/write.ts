/** One set of features, in any of the formats: whole in its place, or absent. */
import { basename, dirname, extname, join } from 'node:path';
import { npyHeader } from '../data/npy.js';
import { encodeHeader } from '../data/safetensors-header.js';
import { StainfoldError } from '../errors.js';
import { replaceFolder, writeFileAtomic } from '../files/atomic.js';
import type { FeatureFormat } from '../types.js';
import { type Description, hdf5Features } from './layouts.js';
import { parquetFeatures } from './parquet.js';
import { type FeatureSource, featureBytes, wideCoords } from './source.js';
import { zarrFeatures } from './zarr.js';

export const EXTENSIONS: Readonly<Record<FeatureFormat, string>> = {
  h5: '.h5',
  safetensors: '.safetensors',
  parquet: '.parquet',
  npy: '.npy',
  zarr: '.zarr',
};

/** @throws STAINFOLD_OPTION where the extension is none of a format. */
export function formatOf(path: string): FeatureFormat {
  const extension = extname(path).toLowerCase();
  for (const [format, known] of Object.entries(EXTENSIONS)) {
    if (extension === known || (format === 'h5' && extension === '.hdf5')) return format as FeatureFormat;
  }
  const known = Object.values(EXTENSIONS).join(', ');
  throw new StainfoldError('STAINFOLD_OPTION', `Features go to a file that ends in ${known}, got '${path}'`);
}

/**
 * Writes `path`, whose folder must exist, in bounded memory. The features come last where there are several files: once they are
 * there, everything is.
 *
 * @returns The files written, the features first.
 */
export async function writeStore(
  path: string,
  format: FeatureFormat,
  source: FeatureSource,
  description: Description,
): Promise<string[]> {
  const { precision, attributes } = description;
  if (format === 'h5') await writeFileAtomic(path, hdf5Features(source, description));
  if (format === 'safetensors') await writeFileAtomic(path, safetensors(source, description));
  if (format === 'parquet') await writeFileAtomic(path, parquetFeatures(source, precision, attributes));
  if (format === 'zarr') {
    await replaceFolder(path, (folder) => zarrFeatures(folder, source, precision, attributes));
  }
  if (format !== 'npy') return [path];
  const { coords, facts } = besideNpy(path);
  await writeFileAtomic(facts, `${JSON.stringify(attributes, null, 2)}\n`);
  await writeFileAtomic(coords, following(npyHeader(source.rows, 2, '<i8'), wideCoords(source)));
  const header = npyHeader(source.rows, source.columns, precision === 'fp16' ? '<f2' : '<f4');
  await writeFileAtomic(path, following(header, featureBytes(source, precision)));
  return [path, coords, facts];
}

/** Where the rest is of what a matrix for NumPy has no place for. */
function besideNpy(path: string): { coords: string; facts: string } {
  const stem = join(dirname(path), basename(path, extname(path)));
  return { coords: `${stem}.coords.npy`, facts: `${stem}.json` };
}

async function* safetensors(
  source: FeatureSource,
  { precision, attributes }: Description,
): AsyncGenerator<Uint8Array> {
  const facts = Object.entries(attributes).map(([name, value]) => [name, String(value)]);
  // coords first: int64 is aligned wherever it begins at a multiple of 8, and so is what follows it.
  yield encodeHeader(
    [
      { name: 'coords', dtype: 'I64', shape: [source.rows, 2] },
      { name: 'features', dtype: precision === 'fp16' ? 'F16' : 'F32', shape: [source.rows, source.columns] },
    ],
    Object.fromEntries(facts),
  );
  yield* wideCoords(source);
  yield* featureBytes(source, precision);
}

async function* following(header: Uint8Array, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield header;
  yield* pieces;
}
