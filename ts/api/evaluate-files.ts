/** Embeddings from files, their rows brought into the order of the manifest's. */
import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { type EmbeddingFile, openEmbeddingFile } from '../data/embedding-file.js';
import { readError } from '../data/file-errors.js';
import { readManifest } from '../data/manifest.js';
import { openTileSet, type Tile } from '../data/tile-set.js';
import { StainfoldError } from '../errors.js';
import type { TileSelection } from '../types.js';
import type { FeatureMatrix } from './evaluate-features.js';

/** Of a tile, all that the metrics need. */
export type Labelled = Pick<Tile, 'file' | 'labels'>;

/** An embedding of the tiles, read or computed when its turn comes. */
export interface NamedEmbedding {
  name: string;
  matrix(): Promise<FeatureMatrix>;
}

/** The tiles as the manifest has them: no image need exist. */
interface TileTable {
  columns: readonly string[];
  /** Those selected. */
  tiles: Labelled[];
  /** Place of each among all rows of the manifest. */
  places: number[];
  total: number;
}

/** Opens every file and matches its rows before any values are read: a mistake is told at once. */
export async function openEmbeddings(
  selection: Required<Pick<TileSelection, 'tiles' | 'where'>>,
  paths: readonly string[],
  signal: AbortSignal | undefined,
): Promise<{ tiles: Labelled[]; columns: readonly string[]; open: NamedEmbedding[] }> {
  const table = await readTable(selection, signal);
  const stems = paths.map((path) => basename(path, extname(path)));
  const open: NamedEmbedding[] = [];
  for (const [i, path] of paths.entries()) {
    signal?.throwIfAborted();
    const file = await openEmbeddingFile(path);
    const rows = matchRows(file, path, table);
    const name = stems.filter((stem) => stem === stems[i]).length > 1 ? path : (stems[i] as string);
    open.push({ name, matrix: () => readMatrix(file, rows) });
  }
  return { tiles: table.tiles, columns: table.columns, open };
}

async function readTable(
  { tiles: source, where }: Required<Pick<TileSelection, 'tiles' | 'where'>>,
  signal: AbortSignal | undefined,
): Promise<TileTable> {
  const entry = await stat(source).catch((cause: unknown) => {
    throw readError(source, cause);
  });
  if (entry.isDirectory()) {
    const { columns, tiles } = await openTileSet({ tiles: source, where }, signal);
    return { columns, tiles, places: tiles.map((_, place) => place), total: tiles.length };
  }
  const all = await readManifest(source);
  const kept = new Set((await readManifest(source, where)).rows.map(({ line }) => line));
  const places = [...all.rows.keys()].filter((place) => kept.has(all.rows[place]?.line as number));
  if (places.length === 0) throw new StainfoldError('STAINFOLD_TILES_EMPTY', `${source} holds no such tiles`);
  const tiles = places.map((place) => all.rows[place] as Labelled);
  return { columns: all.columns, tiles, places, total: all.rows.length };
}

/** The file's row of each tile: by name where the file has names, else by order in the whole manifest or in what is selected of it. */
function matchRows(
  { rows, names }: EmbeddingFile,
  path: string,
  { tiles, places, total }: TileTable,
): readonly number[] {
  const fail = (detail: string): StainfoldError =>
    new StainfoldError('STAINFOLD_EMBEDDINGS', `${path} ${detail}`);
  if (names !== undefined) {
    const attempts = NAMINGS.map((naming) => byName(names, tiles, naming));
    const matched = attempts.find((attempt) => !attempt.includes(-1));
    if (matched !== undefined) return matched;
    const best = attempts.reduce((a, b) => (missing(b) < missing(a) ? b : a));
    const first = tiles[best.indexOf(-1)]?.file;
    throw fail(`has no row for ${missing(best)} of ${tiles.length} tiles; the first is '${first}'`);
  }
  if (rows === total) return places;
  if (rows === tiles.length) return [...tiles.keys()];
  const selected = tiles.length < total ? `, of which ${tiles.length} are selected` : '';
  throw fail(`has ${rows} rows and names none, the manifest has ${total}${selected}`);
}

/** As written; by the last part of the path; without its extension too. */
const NAMINGS: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => lastPart(name),
  (name) => lastPart(name).replace(/\.[^.]*$/, ''),
];

const lastPart = (name: string): string => name.split(/[\\/]/).at(-1) as string;

/** -1 where there is no such row, or more than one. */
function byName(
  names: readonly string[],
  tiles: readonly Labelled[],
  naming: (name: string) => string,
): number[] {
  const rows = new Map<string, number>();
  for (const [row, name] of names.entries()) rows.set(naming(name), rows.has(naming(name)) ? -1 : row);
  return tiles.map(({ file }) => rows.get(naming(file)) ?? -1);
}

const missing = (rows: readonly number[]): number => rows.filter((row) => row === -1).length;

async function readMatrix(file: EmbeddingFile, rows: readonly number[]): Promise<FeatureMatrix> {
  const { columns } = file;
  const all = await file.read();
  if (rows.length === file.rows && rows.every((row, i) => row === i))
    return { data: all, rows: rows.length, columns };
  const data = new Float32Array(rows.length * columns);
  for (const [i, row] of rows.entries()) {
    data.set(all.subarray(row * columns, (row + 1) * columns), i * columns);
  }
  return { data, rows: rows.length, columns };
}
