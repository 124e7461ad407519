import { csvLine } from '../data/csv.js';
import { StainfoldError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic.js';
import type { RegionsGeoJson, SlideTileStatus, SlideTiling } from '../types.js';

/** As QuPath shows the classes. */
const COLOURS: Record<SlideTileStatus, readonly [red: number, green: number, blue: number]> = {
  ok: [0, 150, 90],
  unchecked: [0, 150, 90],
  background: [160, 160, 160],
  blur: [230, 160, 0],
  pen: [30, 90, 220],
  fold: [200, 40, 120],
  unreadable: [120, 0, 0],
};

/**
 * The tiles as GeoJSON that QuPath opens (File, Import objects): a square each in level-0 pixels, its status as the class.
 *
 * @example
 * const { features } = tilesGeoJson(await tileSlide('slide.svs'));
 */
export function tilesGeoJson(tiling: SlideTiling): RegionsGeoJson & { features: object[] } {
  return { type: 'FeatureCollection', features: Array.from(features(tiling)) };
}

function* features({ count, coords, sizeLevel0, status, tissue }: SlideTiling): Generator<object> {
  for (let i = 0; i < count; i++) {
    const [left, top] = [coords[2 * i] as number, coords[2 * i + 1] as number];
    const [right, bottom] = [left + sizeLevel0, top + sizeLevel0];
    const name = status[i] as SlideTileStatus;
    const ring = [
      [left, top],
      [right, top],
      [right, bottom],
      [left, bottom],
      [left, top],
    ];
    yield {
      type: 'Feature',
      geometry: { type: 'Polygon', coordinates: [ring] },
      properties: {
        objectType: 'tile',
        classification: { name, color: COLOURS[name] },
        measurements: { tissue: Number((tissue[i] as number).toFixed(4)) },
      },
    };
  }
}

/**
 * Writes the tiles to a .geojson (as tilesGeoJson) or .csv (x, y, size, status, tissue; level-0 pixels), whole or not at all.
 *
 * @example
 * await writeTiles('tiles.geojson', await tileSlide('slide.svs'));
 *
 * @throws STAINFOLD_OPTION for another extension; STAINFOLD_FILE_WRITE.
 */
export async function writeTiles(path: string, tiling: SlideTiling): Promise<void> {
  const kind = path.match(/\.(csv|geojson|json)$/i)?.[1]?.toLowerCase();
  if (kind === undefined) {
    throw new StainfoldError('STAINFOLD_OPTION', `tiles are written to .csv or .geojson, got '${path}'`);
  }
  await writeFileAtomic(path, pieces(kind === 'csv' ? csv(tiling) : json(tiling)));
}

function* csv({ count, coords, sizeLevel0, status, tissue }: SlideTiling): Generator<string> {
  yield csvLine(['x', 'y', 'size', 'status', 'tissue']);
  for (let i = 0; i < count; i++) {
    const [x, y] = [coords[2 * i] as number, coords[2 * i + 1] as number];
    yield csvLine([x, y, sizeLevel0, status[i] as string, (tissue[i] as number).toFixed(4)]);
  }
}

function* json(tiling: SlideTiling): Generator<string> {
  yield '{"type":"FeatureCollection","features":[';
  let first = true;
  for (const feature of features(tiling)) {
    yield `${first ? '' : ','}\n${JSON.stringify(feature)}`;
    first = false;
  }
  yield '\n]}\n';
}

/** Lines gathered to what is worth a write. */
function* pieces(lines: Iterable<string>): Generator<Uint8Array> {
  let held = '';
  for (const line of lines) {
    held += line;
    if (held.length < 2 ** 16) continue;
    yield Buffer.from(held);
    held = '';
  }
  yield Buffer.from(held);
}
