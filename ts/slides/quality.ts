/** What a tile's measures (native/include/stainfold/slide.h) make of it. Thresholds: docs/slides.md says what they were set on. */
import type { NativeSlides } from '../internal/native-slide.js';
import type { SlideTileStatus } from '../types.js';

/** Least share of pixels that are no glass; cytology has 0.02. */
const LEAST_STAINED = 0.01;
/**
 * Least sharpness at 0.25 µm a pixel and coarser. Finer pixels see the blur of the optics themselves, and sharpness falls with the
 * square of the blur in pixels.
 */
const LEAST_SHARPNESS = 0.35;
const SHARP_MPP = 0.25;
const MOST_INK = 0.25;
const MOST_FOLD = 0.3;
/** Side of a block that absorbs like two sections, micrometres: more than a nucleus. */
const FOLD_BLOCK = 16;

/** `pixels`: [tileSize,tileSize,3]. `density`: the slide's. */
export async function statusOf(
  native: NativeSlides,
  pixels: Uint8Array,
  { tileSize, mpp, density }: { tileSize: number; mpp: number; density: number },
): Promise<SlideTileStatus> {
  const blocks = Math.min(256, Math.max(1, Math.round((tileSize * mpp) / FOLD_BLOCK)));
  // A slide without tissue has no density, and nothing in it is dense enough for a fold.
  const measures = await native.tileQuality(pixels, 1, tileSize, tileSize, density || 1, blocks);
  const [stained, sharpness, ink, fold] = measures as unknown as [number, number, number, number];
  if (ink > MOST_INK) return 'pen';
  if (stained < LEAST_STAINED) return 'background';
  if (sharpness < LEAST_SHARPNESS * Math.min(1, mpp / SHARP_MPP) ** 2) return 'blur';
  return fold > MOST_FOLD ? 'fold' : 'ok';
}
