/** Tiles of a row that works on altered ones: normalised or translated once, kept as PNG, taken up again by later runs. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { csvLine } from '../../data/csv.js';
import { DECODE_CONCURRENCY, decodeTile } from '../../data/decode.js';
import { encodePng } from '../../data/encode.js';
import { orderedMap } from '../../data/ordered-map.js';
import type { Tile } from '../../data/tile-set.js';
import { StainfoldError } from '../../errors.js';
import { writeFileAtomic } from '../../files/atomic.js';
import type { RawTile } from '../../types.js';
import type { BenchmarkPlan } from './plan.js';
import { readJson, tilesFolder } from './records.js';

/** Turns tiles into others of the same size, one for one and in their order. */
export interface TileTransform {
  apply(tiles: AsyncIterable<RawTile>): AsyncIterable<RawTile>;
  /** How many tiles came out how; told with the results. */
  statuses?: Readonly<Record<string, number>>;
  /** The source's tiles have the wanted appearance already, and stay as they are. */
  keepsSource: boolean;
  dispose(): Promise<void>;
}

/** The tiles that a row's encoder is trained on and embeds. */
export interface RowTiles {
  /** What `train` takes as tiles. */
  manifest: string;
  /** In the plan's order, without those that could not be read; `file` is the original's name. */
  tiles: Tile[];
  /** What it took, in this run or an earlier one. */
  seconds: number;
  statuses?: Readonly<Record<string, number>>;
}

interface Prepared extends Pick<RowTiles, 'statuses'> {
  digest: string;
  seconds: number;
  /** Places in the plan of the tiles that there are; each file is named after its place. */
  places: number[];
}

const BEGUN = 'begun.json';
const DONE = 'prepared.json';

/** The tiles as they are. */
export function originalTiles({ settings, tiles }: BenchmarkPlan): RowTiles {
  return { manifest: settings.manifest, tiles, seconds: 0 };
}

/** The prepared tiles of `key`, made with `open`'s transform where they are not there yet. A half-made folder is made anew. */
export async function preparedTiles(
  plan: BenchmarkPlan,
  { key, digest }: { key: string; digest: string },
  open: (folder: string) => Promise<TileTransform>,
  report: (part: number) => void,
): Promise<RowTiles> {
  const folder = tilesFolder(plan.settings.out, key);
  const known = await readJson<Prepared>(join(folder, DONE));
  const prepared = known?.digest === digest ? known : await make(plan, folder, digest, open, report);
  const tiles = prepared.places.map((place) => ({
    ...(plan.tiles[place] as Tile),
    path: join(folder, numbered(place)),
  }));
  const { seconds, statuses } = prepared;
  return { manifest: join(folder, 'manifest.csv'), tiles, seconds, ...(statuses && { statuses }) };
}

/** The altered tiles at `places`, of a key that may not be there. */
export async function readPrepared(
  { settings }: BenchmarkPlan,
  key: string,
): Promise<((place: number) => string) | undefined> {
  const folder = tilesFolder(settings.out, key);
  const prepared = await readJson<Prepared>(join(folder, DONE));
  return prepared && ((place) => join(folder, numbered(place)));
}

/** In the plan's order by name, too: training meets them in the order that it meets the originals in. */
const numbered = (place: number): string => `${String(place).padStart(7, '0')}.png`;

async function make(
  plan: BenchmarkPlan,
  folder: string,
  digest: string,
  open: (folder: string) => Promise<TileTransform>,
  report: (part: number) => void,
): Promise<Prepared> {
  const begun = performance.now();
  // What was begun with other settings is of no use; what was begun with these (a translator's training) is continued.
  const mark = join(folder, BEGUN);
  if ((await readJson<{ digest: string }>(mark))?.digest !== digest) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await writeFileAtomic(mark, JSON.stringify({ digest }));
  }
  const transform = await open(folder);
  let places: number[];
  try {
    places = await alter(plan, folder, transform, report);
  } finally {
    await transform.dispose();
  }
  const lines = places.map((place) => {
    const { labels } = plan.tiles[place] as Tile;
    return csvLine([numbered(place), ...plan.columns.map((column) => labels[column] ?? '')]);
  });
  const manifest = [csvLine(['file', ...plan.columns]), ...lines].join('');
  await writeFileAtomic(join(folder, 'manifest.csv'), manifest);
  const { statuses } = transform;
  const seconds = (performance.now() - begun) / 1000;
  const prepared: Prepared = { digest, seconds, places, ...(statuses && { statuses }) };
  // Last of all: what it names is complete.
  await writeFileAtomic(join(folder, DONE), JSON.stringify(prepared));
  return prepared;
}

async function alter(
  { tiles, tileSize, settings }: BenchmarkPlan,
  folder: string,
  transform: TileTransform,
  report: (part: number) => void,
): Promise<number[]> {
  const { batchColumn, source, signal } = settings;
  const isKept = ({ labels }: Tile): boolean => transform.keepsSource && labels[batchColumn] === source;
  const all = [...tiles.keys()];
  const places: number[] = [];
  // Readable tiles that went into the transform and have not come out.
  const under: number[] = [];
  let done = 0;
  const write = async ({ place, tile }: { place: number; tile: RawTile }): Promise<void> => {
    await writeFile(join(folder, numbered(place)), await encodePng(tile));
    places.push(place);
    report(Math.min(1, ++done / tiles.length));
  };
  const read = (chosen: number[]) => readPlaces(chosen, tiles, tileSize, signal);
  async function* unaltered(): AsyncGenerator<RawTile> {
    for await (const { place, tile } of read(all.filter((at) => !isKept(tiles[at] as Tile)))) {
      under.push(place);
      yield tile;
    }
  }
  async function* altered(): AsyncGenerator<{ place: number; tile: RawTile }> {
    for await (const tile of transform.apply(unaltered())) yield { place: under.shift() as number, tile };
  }
  const kept = read(all.filter((at) => isKept(tiles[at] as Tile)));
  for await (const _ of orderedMap(kept, DECODE_CONCURRENCY, write, signal));
  for await (const _ of orderedMap(altered(), DECODE_CONCURRENCY, write, signal));
  return places.sort((a, b) => a - b);
}

/** Readable ones only, decoded ahead by a bounded number. */
async function* readPlaces(
  places: readonly number[],
  tiles: readonly Tile[],
  tileSize: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ place: number; tile: RawTile }> {
  const decode = async (place: number) => ({ place, tile: await readTile(tiles[place] as Tile, tileSize) });
  for await (const { place, tile } of orderedMap(places, 2 * DECODE_CONCURRENCY, decode, signal)) {
    if (tile !== undefined) yield { place, tile };
  }
}

/** Undefined where it cannot be read: training and embedding leave such tiles out as well. */
export async function readTile({ path }: Tile, tileSize: number): Promise<RawTile | undefined> {
  try {
    const data = await decodeTile(path, tileSize);
    return { data, width: tileSize, height: tileSize, channels: 3 };
  } catch (error) {
    if (error instanceof StainfoldError && error.code === 'STAINFOLD_TILE_UNREADABLE') return undefined;
    throw error;
  }
}
