import { StainfoldError } from '../errors.js';
import { loadNative } from '../internal/load.js';
import type { NativeAddon } from '../internal/native.js';
import { validate } from '../internal/validate.js';
import { slideTilesSchema, tilingSchema } from '../internal/validate-slide.js';
import { streamSlideTiles } from '../slides/stream.js';
import { countStatuses, layTiles } from '../slides/tiling.js';
import type { Slide, SlideTile, SlideTilesOptions, SlideTiling, TilingOptions } from '../types.js';
import { openSlide } from './open-slide.js';

/**
 * Lays tiles of one size and resolution over a slide's tissue, or over regions drawn elsewhere, and tells which are worth
 * embedding. The order is row by row; the same slide and options give the same tiles.
 *
 * @example
 * const tiling = await tileSlide('slide.svs', { tileSize: 224, mpp: 0.5 });
 * console.log(tiling.count, tiling.counts.ok, tiling.counts.blur);
 *
 * @param slide An open slide, or the path of one.
 * @throws STAINFOLD_SLIDE_MPP where the slide's pixel size is unknown; STAINFOLD_SLIDE_EMPTY where no tile has tissue enough;
 *   STAINFOLD_SLIDE_REGIONS; STAINFOLD_SLIDE_READ where the overview cannot be read (a tile that cannot is `unreadable`);
 *   STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN; what openSlide throws.
 */
export async function tileSlide(slide: Slide | string, options: TilingOptions = {}): Promise<SlideTiling> {
  const { quality, onProgress, ...settings } = validate(tilingSchema, options);
  const { signal } = settings;
  signal?.throwIfAborted();
  if (typeof slide === 'string') {
    await using opened = await openSlide(slide, signal && { signal });
    return await tileSlide(opened, options);
  }
  const native = (await loadNative()).slide;
  const tiling = await layTiles(slide, native, settings);
  if (!quality) return tiling;
  return { ...tiling, ...(await check(slide, tiling, native, signal, onProgress)) };
}

async function check(
  slide: Slide,
  tiling: SlideTiling,
  native: NativeAddon['slide'],
  signal: AbortSignal | undefined,
  onProgress: TilingOptions['onProgress'],
): Promise<Pick<SlideTiling, 'status' | 'counts'>> {
  const status = [...tiling.status];
  const done = (index: number): void => onProgress?.(index + 1, tiling.count);
  const onUnreadable = (index: number): void => {
    status[index] = 'unreadable';
    done(index);
  };
  const settings = { quality: true, rejected: true, from: 0, signal, onUnreadable };
  for await (const tile of streamSlideTiles(slide, tiling, native, settings)) {
    status[tile.index] = tile.status;
    done(tile.index);
  }
  return { status, counts: countStatuses(status) };
}

/**
 * Reads the tiles of a tiling in their order, a few ahead of the consumer and no more. Leaving the loop, or an abort, waits for
 * the reads under way.
 *
 * @example
 * for await (const { x, y, pixels } of slideTiles(slide, tiling)) consume(x, y, pixels);
 *
 * @throws STAINFOLD_SLIDE_READ for the first tile that cannot be read, unless `onUnreadable` takes it; STAINFOLD_OPTION,
 *   STAINFOLD_OPTION_UNKNOWN; the signal's reason.
 */
export async function* slideTiles(
  slide: Slide,
  tiling: SlideTiling,
  options: SlideTilesOptions = {},
): AsyncGenerator<SlideTile, void, undefined> {
  const settings = validate(slideTilesSchema, options);
  if (settings.from > tiling.count) {
    throw new StainfoldError(
      'STAINFOLD_OPTION',
      `from must be at most ${tiling.count}, got ${settings.from}`,
    );
  }
  const native = (await loadNative()).slide;
  yield* streamSlideTiles(slide, tiling, native, settings);
}
