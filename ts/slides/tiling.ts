/** The tiles of a slide: a grid over it, and what of the grid is tissue. */
import { permutation } from '../data/order.js';
import { StainfoldError } from '../errors.js';
import type { NativeSlides } from '../internal/native-slide.js';
import type { Slide, SlideTileStatus, SlideTiling, TissueMask } from '../types.js';
import { readRegions } from './geojson.js';
import { requireMpp } from './slide.js';
import { tissueOf } from './tissue.js';

/** Places of a grid that are looked at: boxes of 256 MiB. */
const MOST_PLACES = 2 ** 23;
/** Of permutation(), so that samples share no draw with epochs. */
const SAMPLE_STREAM = 0x71e5;

export interface TilingSettings {
  tileSize: number;
  mpp: number;
  overlap: number;
  minTissue: number;
  regions?: Parameters<typeof readRegions>[0] | undefined;
  limit?: number | undefined;
  sample?: number | undefined;
  seed: number;
  signal?: AbortSignal | undefined;
}

/** Every status is `unchecked`. Throws STAINFOLD_SLIDE_MPP, STAINFOLD_SLIDE_EMPTY, STAINFOLD_SLIDE_REGIONS, STAINFOLD_OPTION. */
export async function layTiles(
  slide: Slide,
  native: NativeSlides,
  settings: TilingSettings,
): Promise<SlideTiling> {
  const { tileSize, mpp, overlap, minTissue, limit, sample, seed, signal } = settings;
  const slideMpp = requireMpp(slide);
  if (overlap >= tileSize) {
    throw new StainfoldError(
      'STAINFOLD_OPTION',
      `overlap must be below tileSize (${tileSize}), got ${overlap}`,
    );
  }
  const polygons =
    settings.regions === undefined ? undefined : await readRegions(settings.regions, slide.name);
  const sizeLevel0 = (tileSize * mpp) / slideMpp;
  const corners = gridOf(slide, sizeLevel0, ((tileSize - overlap) * mpp) / slideMpp);
  const { mask, density } = await tissueOf(slide, native, polygons, signal);
  const shares = await tissueShares(native, corners, sizeLevel0, mask);

  let chosen: number[] = [];
  for (const [i, share] of shares.entries()) if (share > 0 && share >= minTissue) chosen.push(i);
  if (chosen.length === 0) {
    const what = polygons ? 'its regions' : `tissue (${(100 * mask.share).toFixed(1)} % of it is)`;
    throw new StainfoldError(
      'STAINFOLD_SLIDE_EMPTY',
      `${slide.path} has no tile of ${tileSize} pixels at ${mpp} µm with ${minTissue} of its area in ${what}`,
    );
  }
  if (sample !== undefined && sample < chosen.length) {
    const drawn = permutation(chosen.length, seed, SAMPLE_STREAM).subarray(0, sample).sort();
    chosen = Array.from(drawn, (i) => chosen[i] as number);
  }
  if (limit !== undefined) chosen = chosen.slice(0, limit);

  const status = chosen.map((): SlideTileStatus => 'unchecked');
  const coords = new Int32Array(2 * chosen.length);
  for (const [row, i] of chosen.entries()) {
    coords[2 * row] = corners[2 * i] as number;
    coords[2 * row + 1] = corners[2 * i + 1] as number;
  }
  return {
    tileSize,
    mpp,
    overlap,
    minTissue,
    seed,
    slideMpp,
    sizeLevel0,
    count: chosen.length,
    coords,
    tissue: Float32Array.from(chosen, (i) => shares[i] as number),
    status,
    counts: countStatuses(status),
    mask,
    density,
  };
}

export function countStatuses(status: readonly SlideTileStatus[]): Record<SlideTileStatus, number> {
  const counts = { ok: 0, background: 0, blur: 0, pen: 0, fold: 0, unreadable: 0, unchecked: 0 };
  for (const one of status) counts[one]++;
  return counts;
}

/** Corners of whole tiles within the slide, row by row, rounded to level-0 pixels; one at least, however small the slide. */
function gridOf({ width, height, path }: Slide, size: number, step: number): Int32Array {
  const along = (extent: number): number => Math.max(1, Math.floor((extent - size) / step + 1 + 1e-9));
  const columns = along(width);
  const rows = along(height);
  if (columns * rows > MOST_PLACES) {
    throw new StainfoldError(
      'STAINFOLD_OPTION',
      `a grid of ${columns} x ${rows} tiles over ${path} is too fine`,
      { hint: 'Give a larger tileSize or mpp, or less overlap.' },
    );
  }
  const corners = new Int32Array(2 * columns * rows);
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      corners[i++] = Math.round(column * step);
      corners[i++] = Math.round(row * step);
    }
  }
  return corners;
}

function tissueShares(
  native: NativeSlides,
  corners: Int32Array,
  size: number,
  { data, width, height, scale }: TissueMask,
): Promise<Float32Array> {
  const boxes = new Float64Array(2 * corners.length);
  for (let i = 0; i < corners.length; i += 2) {
    boxes.set(
      [(corners[i] as number) / scale, (corners[i + 1] as number) / scale, size / scale, size / scale],
      2 * i,
    );
  }
  return native.boxShares(data, height, width, boxes);
}
