/** Regions of a slide from GeoJSON, as QuPath exports it: a geometry, a feature, a list or a collection of either. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readError } from '../data/file-errors.js';
import { StainfoldError } from '../errors.js';
import type { RegionsGeoJson } from '../types.js';

/** Rings of points in level-0 pixels; the first of a polygon is its outline, the others are holes. */
export type Polygon = (readonly [x: number, y: number])[][];

const MOST_DEPTH = 16;

/** A folder holds a file of the slide's name. Throws STAINFOLD_SLIDE_REGIONS, STAINFOLD_FILE_NOT_FOUND, STAINFOLD_FILE_READ. */
export async function readRegions(given: string | RegionsGeoJson, slide: string): Promise<Polygon[]> {
  if (typeof given !== 'string') return polygonsOf(given, 'regions');
  let source = given;
  let text: string;
  try {
    if ((await stat(given)).isDirectory()) source = join(given, `${slide}.geojson`);
    text = await readFile(source, 'utf8');
  } catch (cause) {
    throw readError(source, cause);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new StainfoldError('STAINFOLD_SLIDE_REGIONS', `${source} is no JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
  return polygonsOf(parsed, source);
}

function polygonsOf(parsed: unknown, name: string): Polygon[] {
  const refuse = (detail: string): never => {
    throw new StainfoldError('STAINFOLD_SLIDE_REGIONS', `${name}: ${detail}`);
  };
  const polygons = [...polygonsIn(parsed, refuse, 0)];
  return polygons.length > 0 ? polygons : refuse('it holds no polygon');
}

type Refuse = (detail: string) => never;

function* polygonsIn(value: unknown, refuse: Refuse, depth: number): Generator<Polygon> {
  if (depth > MOST_DEPTH) refuse('it is nested too deeply');
  if (Array.isArray(value)) {
    for (const item of value) yield* polygonsIn(item, refuse, depth + 1);
    return;
  }
  if (typeof value !== 'object' || value === null) refuse(`${String(value)} is no GeoJSON`);
  const { type, coordinates, features, geometry, geometries } = value as Record<string, unknown>;
  switch (type) {
    case 'FeatureCollection':
      yield* polygonsIn(features, refuse, depth + 1);
      break;
    case 'Feature':
      if (geometry !== null) yield* polygonsIn(geometry, refuse, depth + 1);
      break;
    case 'GeometryCollection':
      yield* polygonsIn(geometries, refuse, depth + 1);
      break;
    case 'Polygon':
      yield polygon(coordinates, refuse);
      break;
    case 'MultiPolygon':
      if (!Array.isArray(coordinates)) return refuse('a MultiPolygon has no coordinates');
      for (const part of coordinates) yield polygon(part, refuse);
      break;
    case 'Point':
    case 'MultiPoint':
    case 'LineString':
    case 'MultiLineString':
      break; // nothing to lie in
    default:
      refuse(
        typeof type === 'string' ? `there is no geometry of type ${type}` : 'an object of it has no type',
      );
  }
}

function polygon(rings: unknown, refuse: Refuse): Polygon {
  if (!Array.isArray(rings) || rings.length === 0) return refuse('a polygon has no coordinates');
  return rings.map((ring) => {
    if (!Array.isArray(ring) || ring.length < 3) return refuse('a ring has fewer than three points');
    return ring.map((point) => {
      const [x, y] = Array.isArray(point) ? point : [];
      if (!Number.isFinite(x) || !Number.isFinite(y)) return refuse('a point is no pair of numbers');
      return [x, y] as const;
    });
  });
}

/** The polygons as the native core takes them, in pixels of a mask. */
export function flatten(
  polygons: readonly Polygon[],
  scale: number,
): { points: Float64Array; ringStarts: Int32Array; ringPolygons: Int32Array } {
  const points: number[] = [];
  const starts: number[] = [];
  const owners: number[] = [];
  for (const [owner, rings] of polygons.entries()) {
    for (const ring of rings) {
      starts.push(points.length / 2);
      owners.push(owner);
      for (const [x, y] of ring) points.push(x / scale, y / scale);
    }
  }
  return {
    points: Float64Array.from(points),
    ringStarts: Int32Array.from(starts),
    ringPolygons: Int32Array.from(owners),
  };
}
