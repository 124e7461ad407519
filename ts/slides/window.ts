import type { NativeSlideGeometry } from '../internal/native-slide.js';

/** The level's pixels that a region may depend on: at least those that native/src/slide/resample.cpp takes. Empty beside the slide. */
export function windowOf(
  { x, y, scale, width, height }: NativeSlideGeometry,
  levelWidth: number,
  levelHeight: number,
): { left: number; top: number; right: number; bottom: number } {
  const reach = 2 * Math.max(scale, 1);
  const axis = (origin: number, outputs: number, extent: number): [number, number] => {
    // A read of whole pixels takes no neighbours.
    const whole = scale === 1 && Number.isInteger(origin);
    const margin = whole ? 0 : reach;
    const from = Math.max(0, Math.floor(origin + (whole ? 0 : 0.5 * scale) - margin));
    const to = Math.min(extent, Math.ceil(origin + outputs * scale - (whole ? 0 : 0.5 * scale) + margin));
    return from < to ? [from, to] : [0, 0];
  };
  const [left, right] = axis(x, width, levelWidth);
  const [top, bottom] = axis(y, height, levelHeight);
  return left < right && top < bottom
    ? { left, top, right, bottom }
    : { left: 0, top: 0, right: 0, bottom: 0 };
}
