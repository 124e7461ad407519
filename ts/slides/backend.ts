/** What every way to read a slide gives. */
import type { NativeSlideGeometry } from '../internal/native-slide.js';
import type { SlideBackend, SlideLevel } from '../types.js';

export interface Backend {
  readonly kind: SlideBackend;
  readonly vendor: string;
  readonly levels: readonly SlideLevel[];
  /** As the file says; null where it does not. */
  readonly mpp: number | null;
  readonly objectivePower: number | null;
  readonly associated: readonly string[];
  readonly icc: Uint8Array | undefined;
  /** -> [height,width,3], as stored. Rejects with STAINFOLD_SLIDE_READ. */
  render(level: number, geometry: NativeSlideGeometry): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** What a file says of its pixels' size is believed between these, micrometres: 72 or 300 dots an inch are no microscope's. */
const PLAUSIBLE_MPP = [0.02, 25] as const;

export function plausibleMpp(mpp: number): number | null {
  return mpp >= PLAUSIBLE_MPP[0] && mpp <= PLAUSIBLE_MPP[1] ? mpp : null;
}

export function plausiblePower(power: number): number | null {
  return power > 0 && power <= 1000 ? power : null;
}

/**
 * Level-0 pixels per pixel of a level. Levels are cut to whole pixels, so that the quotient of the sizes is a little off: a whole
 * number that explains both sizes is the truth, and what positions must be computed with.
 */
export function downsampleOf(
  full: { width: number; height: number },
  level: { width: number; height: number },
): number {
  const across = full.width / level.width;
  const down = full.height / level.height;
  const whole = Math.max(1, Math.round((across + down) / 2));
  const explains = (from: number, to: number): boolean =>
    to >= Math.floor(from / whole) && to <= Math.ceil(from / whole);
  if (explains(full.width, level.width) && explains(full.height, level.height)) return whole;
  return (across + down) / 2;
}
