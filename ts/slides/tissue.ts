/** Where a slide has tissue: found by its colour, or drawn by somebody. */
import type { NativeSlides } from '../internal/native-slide.js';
import type { Slide, TissueMask } from '../types.js';
import { flatten, type Polygon } from './geojson.js';
import { requireMpp } from './slide.js';

/** Micrometres per pixel of the mask: a few cells. */
const MASK_MPP = 8;
/** Longer side of a mask, pixels: 33 mm at MASK_MPP, coarser beyond. */
const MOST_SIDE = 4096;
/** Tissue of less area is dirt, and a hole of less is tissue: 0.1 mm square. */
const SMALLEST = 100 ** 2;
/** Gaps of up to twice this, in micrometres, are closed. */
const CLOSING = 16;
/** Otsu's threshold of the saturation is held between these: glass is below the first, tissue above the second. */
const SATURATION = { leastSaturation: 0.05, mostSaturation: 0.15 };

export interface FoundTissue {
  mask: TissueMask;
  /** As high_density of the native core; 0 where there is no tissue. */
  density: number;
}

export async function tissueOf(
  slide: Slide,
  native: NativeSlides,
  polygons: readonly Polygon[] | undefined,
  signal?: AbortSignal,
): Promise<FoundTissue> {
  const slideMpp = requireMpp(slide);
  const scale = Math.max(1, MASK_MPP / slideMpp, Math.max(slide.width, slide.height) / MOST_SIDE);
  const width = Math.ceil(slide.width / scale);
  const height = Math.ceil(slide.height / scale);
  const region = { x: 0, y: 0, width, height, mpp: scale * slideMpp };
  const { data: pixels } = await slide.readRegion(region, signal && { signal });
  const area = (scale * slideMpp) ** 2;
  const data = polygons
    ? await drawn(native, polygons, scale, height, width)
    : (
        await native.findTissue(pixels, height, width, {
          ...SATURATION,
          closing: Math.round(CLOSING / (scale * slideMpp)),
          smallest: Math.ceil(SMALLEST / area),
          largestHole: Math.floor(SMALLEST / area),
        })
      ).mask;
  const [share] = await native.boxShares(data, height, width, Float64Array.of(0, 0, width, height));
  const density = await native.highDensity(pixels, height, width, data);
  return { mask: { data, width, height, scale, share: share as number }, density };
}

function drawn(
  native: NativeSlides,
  polygons: readonly Polygon[],
  scale: number,
  height: number,
  width: number,
): Promise<Uint8Array> {
  const { points, ringStarts, ringPolygons } = flatten(polygons, scale);
  return native.fillPolygons(points, ringStarts, ringPolygons, height, width);
}
