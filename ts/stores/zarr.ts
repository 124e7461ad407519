/** Zarr version 3: a folder with the arrays features and coords, uncompressed chunks of rows, and the facts as attributes. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FeaturePrecision } from '../types.js';
import { type FeatureSource, featureBytes, wideCoords } from './source.js';

/** Rows a chunk: 1 MiB at 256 dimensions in float32. */
const CHUNK_ROWS = 1024;

/** Fills an empty folder. */
export async function zarrFeatures(
  folder: string,
  source: FeatureSource,
  precision: FeaturePrecision,
  attributes: Record<string, string | number>,
): Promise<void> {
  const type = precision === 'fp16' ? 'float16' : 'float32';
  const size = precision === 'fp16' ? 2 : 4;
  await writeJson(join(folder, 'zarr.json'), { zarr_format: 3, node_type: 'group', attributes });
  await writeArray(
    join(folder, 'features'),
    type,
    size,
    [source.rows, source.columns],
    featureBytes(source, precision),
  );
  await writeArray(join(folder, 'coords'), 'int64', 8, [source.rows, 2], wideCoords(source));
}

async function writeArray(
  folder: string,
  data_type: string,
  size: number,
  shape: [rows: number, columns: number],
  pieces: AsyncIterable<Uint8Array>,
): Promise<void> {
  const chunk_shape = [CHUNK_ROWS, shape[1]];
  await mkdir(folder);
  await writeJson(join(folder, 'zarr.json'), {
    zarr_format: 3,
    node_type: 'array',
    shape,
    data_type,
    chunk_grid: { name: 'regular', configuration: { chunk_shape } },
    chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
    fill_value: 0,
    codecs: [{ name: 'bytes', configuration: { endian: 'little' } }],
    attributes: {},
    dimension_names: ['tile', shape[1] === 2 ? 'axis' : 'dimension'],
  });
  let chunk = Buffer.alloc(CHUNK_ROWS * shape[1] * size);
  let filled = 0;
  let index = 0;
  const put = async (): Promise<void> => {
    const place = join(folder, 'c', String(index++));
    await mkdir(place, { recursive: true });
    await writeFile(join(place, '0'), chunk, { flush: true });
    chunk = Buffer.alloc(chunk.length); // the last chunk is padded with the fill value
    filled = 0;
  };
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const taken = Math.min(piece.length - at, chunk.length - filled);
      chunk.set(piece.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
      if (filled === chunk.length) await put();
    }
  }
  if (filled > 0) await put();
}

const writeJson = (path: string, value: unknown): Promise<void> =>
  writeFile(path, `${JSON.stringify(value, null, 2)}\n`, { flush: true });
