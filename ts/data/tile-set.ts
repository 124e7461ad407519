/** Which tiles there are: a folder, a manifest, or a pack. Listing opens no image; each file's size is read, for the digest. */
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { extname, join, relative, resolve, sep } from 'node:path';
import { StainfoldError } from '../errors.js';
import type { TileSelection } from '../types.js';
import { DECODE_CONCURRENCY, TILE_EXTENSIONS } from './decode.js';
import { readError } from './file-errors.js';
import { readManifest } from './manifest.js';
import { orderedMap } from './ordered-map.js';
import { openPack, PACK_EXTENSION } from './pack.js';

export interface Tile {
  /** As the manifest names it, or relative to the folder with forward slashes. */
  file: string;
  /** Absolute. */
  path: string;
  /** Bytes of the file. */
  bytes: number;
  /** Values of the manifest's other columns; empty for a folder. */
  labels: Record<string, string>;
}

export interface TileSet {
  /** Label columns; empty for a folder. */
  columns: string[];
  /** In the manifest's order, or a folder's natural order (tile2 before tile10). */
  tiles: Tile[];
}

interface Listed {
  file: string;
  path: string;
  labels: Record<string, string>;
  /** Where it is named, for messages. */
  origin: string;
}

/** Lists the tiles. Throws STAINFOLD_MANIFEST, STAINFOLD_FILE_NOT_FOUND or STAINFOLD_TILES_EMPTY. */
export async function openTileSet(
  { tiles: source, where }: Pick<TileSelection, 'tiles' | 'where'>,
  signal?: AbortSignal,
): Promise<TileSet> {
  signal?.throwIfAborted();
  const folder = await isFolder(source);
  if (!folder && extname(source).toLowerCase() === PACK_EXTENSION) return packedSet(source, where);
  const filters = Object.entries(where ?? {}).map(([name, value]) => `${name}=${value}`);
  if (folder && filters.length > 0) {
    throw new StainfoldError(
      'STAINFOLD_MANIFEST',
      `${source} is a folder: it has no columns to filter by ${filters}`,
    );
  }
  const { columns, listed } = folder ? await listFolder(source) : await listManifest(source, where);
  if (listed.length === 0) {
    const selected = filters.length > 0 ? ` with ${filters.join(' and ')}` : '';
    throw new StainfoldError('STAINFOLD_TILES_EMPTY', `${source} holds no tiles${selected}`);
  }
  const tiles: Tile[] = [];
  const sized = (tile: Listed) => withSize(tile, folder);
  for await (const tile of orderedMap(listed, DECODE_CONCURRENCY, sized, signal)) tiles.push(tile);
  return { columns, tiles };
}

/** A pack's tiles as if they were files, sizes included: digests are those of the set that was packed. */
async function packedSet(source: string, where: Record<string, string> = {}): Promise<TileSet> {
  const pack = await openPack(source);
  const { columns, tiles: packed } = pack.manifest;
  const filters = Object.entries(where);
  for (const [name] of filters) {
    if (columns.includes(name)) continue;
    const known = columns.length === 0 ? 'has no columns' : `has only ${columns.join(', ')}`;
    throw new StainfoldError('STAINFOLD_MANIFEST', `${source} ${known}: it cannot be filtered by '${name}'`);
  }
  const tiles: Tile[] = [];
  for (const [i, file] of packed.file.entries()) {
    const labels = Object.fromEntries(
      columns.map((column) => [column, packed.labels[column]?.[i] as string]),
    );
    if (filters.some(([name, value]) => labels[name] !== value)) continue;
    tiles.push({ file, path: pack.pathOf(file), bytes: packed.bytes[i] as number, labels });
  }
  if (tiles.length === 0) {
    const selected = filters.map(([name, value]) => `${name}=${value}`).join(' and ');
    throw new StainfoldError('STAINFOLD_TILES_EMPTY', `${source} holds no tiles with ${selected}`);
  }
  return { columns, tiles };
}

async function isFolder(source: string): Promise<boolean> {
  try {
    return (await stat(source)).isDirectory();
  } catch (cause) {
    throw readError(source, cause);
  }
}

async function listFolder(folder: string): Promise<{ columns: string[]; listed: Listed[] }> {
  let entries: Awaited<ReturnType<typeof readEntries>>;
  try {
    entries = await readEntries(folder);
  } catch (cause) {
    throw readError(folder, cause);
  }
  const listed = entries
    // A leading dot: what file managers leave behind, "._tile.png" included.
    .filter((entry) => (entry.isFile() || entry.isSymbolicLink()) && !entry.name.startsWith('.'))
    .filter((entry) => TILE_EXTENSIONS.has(extname(entry.name).toLowerCase()))
    .map((entry) => {
      const path = resolve(join(entry.parentPath, entry.name));
      const file = relative(folder, path).split(sep).join('/');
      return { file, path, labels: {}, origin: path };
    });
  return { columns: [], listed: naturalSort(listed) };
}

const readEntries = (folder: string) => readdir(folder, { recursive: true, withFileTypes: true });

/** tile2 before tile10; by code unit otherwise, so that every machine agrees. */
export function naturalSort<Named extends { file: string }>(items: Named[]): Named[] {
  const keyed = items.map((item) => ({
    item,
    key: item.file.replace(/\d+/g, (digits) => digits.padStart(16, '0')),
  }));
  keyed.sort((a, b) => compare(a.key, b.key) || compare(a.item.file, b.item.file));
  return keyed.map(({ item }) => item);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

async function listManifest(
  path: string,
  where: Record<string, string> | undefined,
): Promise<{ columns: string[]; listed: Listed[] }> {
  if (extname(path).toLowerCase() !== '.csv') {
    throw new StainfoldError('STAINFOLD_MANIFEST', `${path} is neither a folder nor a .csv or .pack file`);
  }
  const { columns, rows } = await readManifest(path, where);
  const listed = rows.map(({ line, ...row }) => ({ ...row, origin: `${path}, line ${line}: ${row.file}` }));
  return { columns, listed };
}

/** What a folder holds and cannot be opened, a link to nothing for example, is a tile that cannot be read: no bytes, like others. */
async function withSize({ origin, ...tile }: Listed, found: boolean): Promise<Tile> {
  try {
    const entry = await stat(tile.path).catch((cause: unknown) => {
      if (found) return { isFile: () => true, size: 0 };
      throw cause;
    });
    if (!entry.isFile() && !found) throw new StainfoldError('STAINFOLD_FILE_READ', `${origin} is not a file`);
    return { ...tile, bytes: entry.size };
  } catch (cause) {
    const error = readError(origin, cause);
    if (error.code !== 'STAINFOLD_FILE_NOT_FOUND') throw error;
    throw new StainfoldError('STAINFOLD_FILE_NOT_FOUND', `There is no file at ${tile.path} (${origin})`, {
      cause,
      hint: "Check the path: those of a manifest are relative to the manifest's folder.",
    });
  }
}

/**
 * SHA-256 over names, sizes and the values of `columns`, whatever the tiles' order. A changed pixel that leaves the size
 * alone goes unnoticed: reading every byte would cost an epoch's time.
 */
export function digestTiles(tiles: readonly Tile[], columns: readonly string[]): string {
  const lines = tiles.map(({ file, bytes, labels }) =>
    JSON.stringify([file, bytes, ...columns.map((column) => labels[column] ?? null)]),
  );
  const hash = createHash('sha256');
  for (const line of lines.sort()) hash.update(line).update('\n');
  return hash.digest('hex');
}
