/** What an audit measures of tiles, and the robust statistics of it. Columns are those of native/include/stainfold/audit.h. */
import { StainfoldError } from '../errors.js';
import type { NativeAddon } from '../internal/native.js';
import type { AuditQuantity } from '../types.js';
import { pixelBatches } from './tile-batches.js';

export const COLUMNS = {
  angle: 2,
  status: 6,
  lab: 7,
  white: 13,
  sharpness: 14,
  hash: 15,
  count: 19,
} as const;
/** In the order of the first columns. */
export const QUANTITIES: readonly AuditQuantity[] = [
  'haematoxylin concentration',
  'eosin concentration',
  'haematoxylin hue',
  'haematoxylin tilt',
  'eosin hue',
  'eosin tilt',
];
const BATCH = 32;

export interface Measured<Tile> {
  tiles: Tile[];
  /** [columns] of each tile. */
  rows: Float32Array[];
}

export async function measure<Tile extends { path: string }>(
  native: NativeAddon,
  tiles: readonly Tile[],
  tileSize: number,
  options: {
    signal?: AbortSignal | undefined;
    onUnreadable: (tile: Tile, reason: string) => void;
    onProgress: (done: number) => void;
    /** Sees each batch's pixels. */
    onPixels?: (pixels: Uint8Array, count: number) => void;
  },
): Promise<Measured<Tile>> {
  const { signal, onUnreadable, onProgress, onPixels } = options;
  const left = new Set<number>();
  const rows: Float32Array[] = [];
  const batches = pixelBatches(
    tiles.map(({ path }) => path),
    {
      tileSize,
      batchSize: BATCH,
      signal,
      onUnreadable: (index, reason) => {
        left.add(index);
        onUnreadable(tiles[index] as Tile, reason);
      },
    },
  );
  for await (const { pixels, count } of batches) {
    rows.push(...rowsOf(await native.auditTiles(pixels, count, tileSize)));
    onPixels?.(pixels, count);
    onProgress(rows.length);
  }
  if (rows.length < 2) {
    throw new StainfoldError('STAINFOLD_TILES_EMPTY', `Of ${tiles.length} tiles ${rows.length} can be read`);
  }
  return { tiles: tiles.filter((_, i) => !left.has(i)), rows };
}

export function rowsOf(data: Float32Array): Float32Array[] {
  return Array.from({ length: data.length / COLUMNS.count }, (_, i) =>
    data.subarray(i * COLUMNS.count, (i + 1) * COLUMNS.count),
  );
}

export const column = (rows: readonly Float32Array[], c: number): number[] =>
  rows.map((row) => row[c] as number);

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export function deviation(values: readonly number[]): number {
  const centre = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - centre) ** 2)));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(half)] as number) + (sorted[Math.ceil(half)] as number)) / 2;
}

/** The median absolute deviation, scaled to the standard deviation of a normal distribution. */
export function robustDeviation(values: readonly number[]): number {
  const centre = median(values);
  return 1.4826 * median(values.map((value) => Math.abs(value - centre)));
}

export const share = (flags: readonly boolean[]): number =>
  flags.length === 0 ? 0 : flags.filter(Boolean).length / flags.length;
