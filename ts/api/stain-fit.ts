/** One fit over many tiles: of a reference, a slide or a whole set. Memory is bounded whatever the number of tiles. */
import { orderedMap } from '../data/ordered-map.js';
import type {
  NativeStain,
  NativeStainFit,
  NativeStainOptions,
  NativeTiles,
} from '../internal/native-stain.js';
import type { StainMethod, StainPixels, StainStatus } from '../types.js';
import type { DecodedOptions, TileSource } from './decoded-tiles.js';
import { type ImageBatch, imageBatches } from './image-batches.js';
import { BATCHES_IN_FLIGHT } from './tile-batches.js';

/** By the number that the native core gives. */
export const STAIN_STATUS: readonly StainStatus[] = ['ok', 'little-tissue', 'weak-stain', 'clamped'];

export const noStatuses = (): Record<StainStatus, number> => ({
  ok: 0,
  'little-tissue': 0,
  'weak-stain': 0,
  clamped: 0,
});

/** Pixels of a tile that stains are estimated from: a 256 px tile whole; fewer where each costs iterations. */
const sampledPixels = (method: StainMethod) => (method === 'vahadane' ? 4096 : 65_536);
/** Pixels held at a time, 6 MiB. */
const POOL_PIXELS = 2 ** 21;

export interface StainSettings {
  method: StainMethod;
  stains: string;
  clamp: number;
  pixels: StainPixels;
  device: string;
}

export function nativeOptions({ method, stains, clamp, pixels, device }: StainSettings): NativeStainOptions {
  const tissueOnly = pixels === 'tissue';
  return { method, stains, clamp, tissueOnly, device, sampledPixels: sampledPixels(method) };
}

/** What is measured over pixels at large, not over those of stains. */
export const countsPixels = (method: StainMethod): boolean => method === 'reinhard' || method === 'histogram';

export interface CommonFit {
  fit: NativeStainFit;
  tiles: number;
}

type FitProgress = DecodedOptions & { onProgress?: ((done: number) => void) | undefined };

/** undefined where no tile could be read. */
export async function fitTogether(
  native: NativeStain,
  settings: StainSettings,
  source: TileSource,
  options: FitProgress,
): Promise<CommonFit | undefined> {
  return (countsPixels(settings.method) ? fitPool : fitMedian)(
    native,
    nativeOptions(settings),
    source,
    options,
  );
}

/** Each tile by itself, then the median. */
async function fitMedian(
  native: NativeStain,
  settings: NativeStainOptions,
  source: TileSource,
  { onProgress, ...options }: FitProgress,
): Promise<CommonFit | undefined> {
  const fits: NativeStainFit[] = [];
  let tiles = 0;
  const work = ({ tiles: batch }: ImageBatch) => native.fit(settings, batch);
  const batches = imageBatches(source, options);
  for await (const fit of orderedMap(batches, BATCHES_IN_FLIGHT, work, options.signal)) {
    fits.push(fit);
    tiles += fit.status.length;
    onProgress?.(tiles);
  }
  if (tiles === 0) return undefined;
  return { fit: await native.median(settings, joinedFits(fits)), tiles };
}

export function joinedFits(fits: readonly NativeStainFit[]): NativeStainFit {
  const rows = fits.reduce((sum, { status }) => sum + status.length, 0);
  const width = fits[0] ? fits[0].values.length / fits[0].status.length : 0;
  const values = new Float64Array(rows * width);
  const status = new Uint8Array(rows);
  let row = 0;
  for (const fit of fits) {
    values.set(fit.values, row * width);
    status.set(fit.status, row);
    row += fit.status.length;
  }
  return { values, status };
}

/**
 * A regular sample of the pixels of all tiles, fitted as if they were one tile. The pool keeps every pixel while they fit;
 * when it is full, a ninth stays, and later tiles give a ninth as well.
 */
async function fitPool(
  native: NativeStain,
  settings: NativeStainOptions,
  source: TileSource,
  { onProgress, ...options }: FitProgress,
): Promise<CommonFit | undefined> {
  let parts: Uint8Array[] = [];
  let pixels = 0;
  let stride = 1;
  let tiles = 0;
  for await (const batch of imageBatches(source, options)) {
    const sample = await native.sample(batch.tiles, stride);
    parts.push(sample);
    pixels += sample.length / 3;
    while (pixels > POOL_PIXELS) {
      const thinned = await native.sample(column(parts, pixels), 9);
      parts = [thinned];
      pixels = thinned.length / 3;
      stride *= 3;
    }
    tiles += batch.tiles.count;
    onProgress?.(tiles);
  }
  if (tiles === 0) return undefined;
  return { fit: await native.fit(settings, column(parts, pixels)), tiles };
}

/** The pool as a tile one pixel wide. */
function column(parts: readonly Uint8Array[], pixels: number): NativeTiles {
  const joined = new Uint8Array(pixels * 3);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return { pixels: joined, count: 1, height: pixels, width: 1 };
}
