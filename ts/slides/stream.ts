/** The tiles of a slide as pixels, in their order, a few read ahead. */
import { DECODE_CONCURRENCY } from '../data/decode.js';
import { reasonOf } from '../data/file-errors.js';
import { orderedMap } from '../data/ordered-map.js';
import { StainfoldError } from '../errors.js';
import type { NativeSlides } from '../internal/native-slide.js';
import type { Slide, SlideTile, SlideTileStatus, SlideTiling } from '../types.js';
import { statusOf } from './quality.js';

export interface StreamSettings {
  quality: boolean;
  rejected: boolean;
  from: number;
  ahead?: number | undefined;
  signal?: AbortSignal | undefined;
  onUnreadable?: ((index: number, reason: string) => void) | undefined;
}

export async function* streamSlideTiles(
  slide: Slide,
  tiling: SlideTiling,
  native: NativeSlides,
  settings: StreamSettings,
): AsyncGenerator<SlideTile, void, undefined> {
  const { quality, rejected, from, ahead = 2 * DECODE_CONCURRENCY, signal, onUnreadable } = settings;
  const { tileSize, mpp, coords, status } = tiling;
  const read = async (index: number): Promise<SlideTile | { index: number; reason: string }> => {
    const x = coords[2 * index] as number;
    const y = coords[2 * index + 1] as number;
    try {
      const region = { x, y, width: tileSize, height: tileSize, mpp };
      const { data: pixels } = await slide.readRegion(region, signal && { signal });
      let found = status[index] as SlideTileStatus;
      if (quality && found === 'unchecked') found = await statusOf(native, pixels, tiling);
      return { index, x, y, status: found, pixels };
    } catch (error) {
      if (!onUnreadable || !(error instanceof StainfoldError) || error.code !== 'STAINFOLD_SLIDE_READ')
        throw error;
      return { index, reason: reasonOf(error) };
    }
  };
  for await (const tile of orderedMap(wanted(tiling, from, rejected), ahead, read, signal)) {
    if ('reason' in tile) onUnreadable?.(tile.index, tile.reason);
    else if (rejected || tile.status === 'ok' || tile.status === 'unchecked') yield tile;
  }
}

/** Indices of tiles worth reading. */
function* wanted({ count, status }: SlideTiling, from: number, rejected: boolean): Generator<number> {
  for (let index = from; index < count; index++) {
    const known = status[index];
    if (known === 'unreadable') continue;
    if (rejected || known === 'ok' || known === 'unchecked') yield index;
  }
}
