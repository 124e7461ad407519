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

/** Turns tiles into others of the same size. */
export interface TileTransform {
  apply(tiles: RawTile[]): Promise<RawTile[]>;
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
}

interface Prepared {
  digest: string;
  seconds: number;
  /** Original names, in the order of the folder's numbered files. */
  files: string[];
}

const BATCH = 64;
const DONE = 'prepared.json';

/** The tiles as they are. */
export function originalTiles({ settings, tiles }: BenchmarkPlan): RowTiles {
  return { manifest: settings.manifest, tiles, seconds: 0 };
}

/** The prepared tiles of `key`, made with `open`'s transform where they are not there yet. A half-made folder is made anew. */
export async function preparedTiles(
  plan: BenchmarkPlan,
  { key, digest }: { key: string; digest: string },
  open: () => Promise<TileTransform>,
  report: (part: number) => void,
): Promise<RowTiles> {
  const folder = tilesFolder(plan.settings.out, key);
  const manifest = join(folder, 'manifest.csv');
  let prepared = await readJson<Prepared>(join(folder, DONE));
  if (prepared?.digest !== digest) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const begun = performance.now();
    const files = await prepare(plan, folder, await open(), report);
    await writeManifest(manifest, plan, files);
    prepared = { digest, seconds: (performance.now() - begun) / 1000, files };
    // Last of all: what it names is complete.
    await writeFileAtomic(join(folder, DONE), JSON.stringify(prepared));
  }
  const byName = new Map(plan.tiles.map((tile) => [tile.file, tile]));
  const tiles = prepared.files.map((file, i) => ({
    ...(byName.get(file) as Tile),
    path: join(folder, numbered(i)),
  }));
  return { manifest, tiles, seconds: prepared.seconds };
}

/** Numbered in the plan's order, so that training meets them in the order that it meets the originals in. */
export const numbered = (index: number): string => `${String(index).padStart(6, '0')}.png`;

async function prepare(
  { tiles, tileSize, settings }: BenchmarkPlan,
  folder: string,
  transform: TileTransform,
  report: (part: number) => void,
): Promise<string[]> {
  const files: string[] = [];
  try {
    for (let start = 0; start < tiles.length; start += BATCH) {
      settings.signal?.throwIfAborted();
      const read = await readTiles(tiles.slice(start, start + BATCH), tileSize);
      const made = await transform.apply(read.map(({ raw }) => raw));
      const writes = read.map(({ file }, i) => ({ tile: made[i] as RawTile, index: files.push(file) - 1 }));
      const write = async ({ tile, index }: { tile: RawTile; index: number }): Promise<void> =>
        writeFile(join(folder, numbered(index)), await encodePng(tile));
      for await (const _ of orderedMap(writes, DECODE_CONCURRENCY, write, settings.signal));
      report(Math.min(tiles.length, start + BATCH) / tiles.length);
    }
  } finally {
    await transform.dispose();
  }
  return files;
}

/** Unreadable ones are left out, as training and embedding leave them out. */
export async function readTiles(
  tiles: readonly Tile[],
  tileSize: number,
): Promise<{ file: string; raw: RawTile }[]> {
  const read: { file: string; raw: RawTile }[] = [];
  const decode = async ({ file, path }: Tile): Promise<{ file: string; raw: RawTile } | undefined> => {
    try {
      const data = await decodeTile(path, tileSize);
      return { file, raw: { data, width: tileSize, height: tileSize, channels: 3 } };
    } catch (error) {
      if (error instanceof StainfoldError && error.code === 'STAINFOLD_TILE_UNREADABLE') return undefined;
      throw error;
    }
  };
  for await (const tile of orderedMap(tiles, DECODE_CONCURRENCY, decode)) {
    if (tile !== undefined) read.push(tile);
  }
  return read;
}

async function writeManifest(path: string, plan: BenchmarkPlan, files: readonly string[]): Promise<void> {
  const byName = new Map(plan.tiles.map((tile) => [tile.file, tile]));
  const lines = files.map((file, i) => {
    const { labels } = byName.get(file) as Tile;
    return csvLine([numbered(i), ...plan.columns.map((column) => labels[column] ?? '')]);
  });
  await writeFileAtomic(path, [csvLine(['file', ...plan.columns]), ...lines].join(''));
}
