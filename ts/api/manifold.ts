import { basename, resolve } from 'node:path';
import { decodeTile, tileName } from '../data/decode.js';
import { ownTile } from '../data/own-tile.js';
import { composeSheet, type SheetCell } from '../data/sheet.js';
import { StainfoldError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic.js';
import { loadNative } from '../internal/load.js';
import { nativeManifold } from '../internal/manifold-kinds.js';
import { renderSchema, sheetSchema, validate } from '../internal/validate.js';
import type { ManifoldSheet, ManifoldSheetOptions, RawTile, RenderOptions, TileInput } from '../types.js';
import { fittedManifold } from './colour-statistics.js';

type RenderSettings = ReturnType<typeof validate<typeof renderSchema>>;

/**
 * Tiles as each virtual lab of the stain manifold renders them: what an encoder trained with the same `manifold` and `seed`
 * learns to see through. Without the jitter, blur, re-compression and geometry of training views.
 *
 * @returns One list for each lab, in the order of `tiles`.
 *
 * @example
 * const [lab0, lab1] = await renderManifold(['a.png'], { tileSize: 224, manifold: { labs: 2 } });
 *
 * @throws STAINFOLD_TILE_UNREADABLE, STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN; and what loading the core throws.
 */
export async function renderManifold(
  tiles: readonly TileInput[],
  options: RenderOptions,
): Promise<RawTile[][]> {
  const settings = validate(renderSchema, options);
  settings.signal?.throwIfAborted();
  const { rendered } = await renderTiles(tiles, settings);
  return rendered;
}

/**
 * A picture of the manifold: a row for each tile (several rows for a single one), the tile as it came and under each
 * virtual lab.
 *
 * @param out Path of a PNG file; replaced.
 *
 * @example
 * await writeManifoldSheet('sheet.png', ['a.png'], { manifold: { kind: 'hdab', labs: 8 } });
 *
 * @throws As renderManifold; STAINFOLD_TILES_EMPTY; STAINFOLD_FILE_WRITE.
 */
export async function writeManifoldSheet(
  out: string,
  tiles: readonly TileInput[],
  options: ManifoldSheetOptions = {},
): Promise<ManifoldSheet> {
  const settings = validate(sheetSchema, options);
  settings.signal?.throwIfAborted();
  if (tiles.length === 0) {
    throw new StainfoldError('STAINFOLD_TILES_EMPTY', 'A sheet needs a tile, got none');
  }
  const { sources, rendered } = await renderTiles(tiles, settings);
  const rows = tiles.map((tile, i): SheetCell[] => [
    { caption: basename(tileName(tile)), picture: sources[i] as RawTile },
    ...rendered.map((lab, g) => ({ caption: `lab ${g}`, picture: lab[i] as RawTile })),
  ]);
  const [only] = rows;
  const { png, width, height } = await composeSheet(
    rows.length === 1 && only !== undefined ? wrapped(only) : rows,
  );
  const path = resolve(out);
  await writeFileAtomic(path, png);
  return { path, width, height, tiles: tiles.length, labs: settings.manifold.labs };
}

async function renderTiles(
  tiles: readonly TileInput[],
  settings: RenderSettings,
): Promise<{ sources: RawTile[]; rendered: RawTile[][] }> {
  const { tileSize, seed, signal } = settings;
  const native = await loadNative(settings);
  if (settings.threads !== undefined) native.setThreads(settings.threads);
  const tileBytes = tileSize * tileSize * 3;
  const pixels = new Uint8Array(tiles.length * tileBytes);
  for (const [i, tile] of tiles.entries())
    pixels.set(await decodeTile(ownTile(tile), tileSize), i * tileBytes);
  signal?.throwIfAborted();
  const pictures = (from: Uint8Array, first: number): RawTile[] =>
    tiles.map((_, i) => {
      const start = (first + i) * tileBytes;
      return { data: from.slice(start, start + tileBytes), width: tileSize, height: tileSize, channels: 3 };
    });
  const sources = pictures(pixels, 0);
  const manifold = await fittedManifold(native, settings.manifold, sources, tileSize, signal);
  const drawn = await native.renderManifold(
    { ...nativeManifold(manifold), seed },
    pixels,
    tiles.length,
    tileSize,
  );
  const rendered = Array.from({ length: manifold.labs }, (_, lab) => pictures(drawn, lab * tiles.length));
  return { sources, rendered };
}

/** One row as a block, a little wider than high. */
function wrapped(cells: readonly SheetCell[]): SheetCell[][] {
  const columns = Math.ceil(Math.sqrt(cells.length * 1.5));
  const rows: SheetCell[][] = [];
  for (let start = 0; start < cells.length; start += columns) rows.push(cells.slice(start, start + columns));
  return rows;
}
