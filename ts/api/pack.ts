import { stat, statfs } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import { DECODE_AHEAD, decodeImage, decodeTile, probeTile } from '../data/decode.js';
import { reasonOf } from '../data/file-errors.js';
import { orderedMap } from '../data/ordered-map.js';
import { openPack } from '../data/pack.js';
import { aligned, encodePackHeader, HEADER_BYTES, type PackManifest } from '../data/pack-format.js';
import { digestTiles, openTileSet, type Tile } from '../data/tile-set.js';
import { StainfoldError } from '../errors.js';
import { replaceFile } from '../files/atomic.js';
import { lockFolder } from '../files/lock.js';
import { loadNative } from '../internal/load.js';
import { validate } from '../internal/validate.js';
import { packSchema } from '../internal/validate-pack.js';
import { VERSION } from '../internal/version.js';
import type { PackOptions, PackResult, RawTile } from '../types.js';

type PackSettings = ReturnType<typeof validate<typeof packSchema>>;

/**
 * Decodes the tiles of a folder or manifest into one file, which then goes wherever a folder or manifest goes: nothing is decoded
 * any more. Names, labels and order are kept; so is the digest by which a run knows its tiles. Written beside its place and renamed:
 * an abort, a crash or a full disk leaves what was there before.
 *
 * @example
 * const { pack } = await packTiles({ tiles: 'tiles.csv', out: 'tiles.pack', tileSize: 224 });
 * await train({ tiles: pack, where: { site: 'A' }, out: 'run' });
 *
 * @throws STAINFOLD_MANIFEST, STAINFOLD_TILES_EMPTY, STAINFOLD_FILE_NOT_FOUND, STAINFOLD_TILE_UNREADABLE (strict);
 *   STAINFOLD_OUTPUT_EXISTS where `out` is something else than a pack; STAINFOLD_LOCKED, STAINFOLD_FILE_WRITE; STAINFOLD_OPTION,
 *   STAINFOLD_OPTION_UNKNOWN.
 */
export async function packTiles(options: PackOptions): Promise<PackResult> {
  const settings = validate(packSchema, options);
  settings.signal?.throwIfAborted();
  const out = resolve(settings.out);
  const { columns, tiles } = await openTileSet(settings, settings.signal);
  await checkReplaceable(out);
  // Its JPEG decoder is fast, and does without a model. Where there is none, sharp does it.
  await loadNative().catch(() => undefined);
  using _lock = await lockFolder(dirname(out), `.${basename(out)}.lock`);
  await checkRoom(out, tiles, settings.tileSize);
  const manifest = emptyManifest(settings, columns, VERSION);
  await replaceFile(out, async (file) => {
    await file.write(new Uint8Array(HEADER_BYTES), 0, HEADER_BYTES, 0);
    let offset = HEADER_BYTES;
    for await (const { tile, pixels } of decoded(tiles, settings, manifest.unreadable)) {
      await file.write(pixels.data, 0, pixels.data.length, offset);
      enter(manifest, tile, pixels, offset);
      offset += aligned(pixels.data.length);
    }
    if (manifest.tiles.file.length === 0) {
      const [first] = manifest.unreadable;
      throw new StainfoldError(
        'STAINFOLD_TILES_EMPTY',
        `None of ${tiles.length} tiles can be read; ${first?.file}: ${first?.reason}`,
      );
    }
    const json = Buffer.from(JSON.stringify(manifest));
    await file.write(json, 0, json.length, offset);
    // Last of all: without it the file is no pack.
    await file.write(encodePackHeader(json, offset), 0, HEADER_BYTES, 0);
  });
  const left = new Set(manifest.unreadable.map(({ file }) => file));
  return {
    pack: out,
    tiles: manifest.tiles.file.length,
    bytes: (await stat(out)).size,
    dataDigest: digestTiles(
      tiles.filter(({ file }) => !left.has(file)),
      columns,
    ),
    unreadable: manifest.unreadable,
  };
}

/**
 * Reads a pack from end to end and compares every tile with its checksum.
 *
 * @throws STAINFOLD_PACK naming the first damaged tile; STAINFOLD_FILE_NOT_FOUND, STAINFOLD_FILE_READ.
 */
export async function checkPack(
  path: string,
  options: Pick<PackOptions, 'signal' | 'onProgress'> = {},
): Promise<{ tiles: number; bytes: number }> {
  const pack = await openPack(path);
  const { file } = pack.manifest.tiles;
  let bytes = 0;
  let done = 0;
  const places = file.keys();
  for await (const tile of orderedMap(places, DECODE_AHEAD, (i) => pack.tile(i, true), options.signal)) {
    bytes += tile.data.length;
    options.onProgress?.(++done, file.length);
  }
  return { tiles: file.length, bytes };
}

async function* decoded(
  tiles: readonly Tile[],
  { tileSize, strict, signal, onProgress }: PackSettings,
  unreadable: PackManifest['unreadable'],
): AsyncGenerator<{ tile: Tile; pixels: RawTile }> {
  const likely = tileSize ?? (await likelySide(tiles));
  const decode = async (tile: Tile): Promise<{ tile: Tile; pixels: RawTile | string }> => {
    try {
      if (tileSize === undefined) return { tile, pixels: await decodeImage(tile.path, likely) };
      const data = await decodeTile(tile.path, tileSize);
      return { tile, pixels: { data, width: tileSize, height: tileSize, channels: 3 } };
    } catch (error) {
      const skip = error instanceof StainfoldError && error.code === 'STAINFOLD_TILE_UNREADABLE';
      if (strict || !skip) throw error;
      return { tile, pixels: reasonOf(error.cause ?? error) };
    }
  };
  let done = 0;
  for await (const { tile, pixels } of orderedMap(tiles, DECODE_AHEAD, decode, signal)) {
    if (typeof pixels === 'string') unreadable.push({ file: tile.file, reason: pixels });
    else yield { tile, pixels };
    onProgress?.(++done, tiles.length);
  }
}

/** Of the first tile that says, if it is square: the others are likely to be as large. */
async function likelySide(tiles: readonly Tile[]): Promise<number | undefined> {
  const size = await firstSize(tiles);
  return size?.width === size?.height ? size?.width : undefined;
}

async function firstSize(tiles: readonly Tile[]): Promise<{ width: number; height: number } | undefined> {
  for (const { path } of tiles.slice(0, 8)) {
    const size = await probeTile(path).catch(() => undefined);
    if (size !== undefined) return size;
  }
  return undefined;
}

function emptyManifest({ tileSize }: PackSettings, columns: string[], stainfold: string): PackManifest {
  const labels = Object.fromEntries(columns.map((column) => [column, [] as string[]]));
  return {
    format: 'stainfold-pack',
    version: 1,
    stainfold,
    tileSize: tileSize ?? null,
    columns,
    tiles: { file: [], labels, bytes: [], width: [], height: [], offset: [], crc32: [] },
    unreadable: [],
  };
}

function enter({ columns, tiles }: PackManifest, tile: Tile, pixels: RawTile, offset: number): void {
  tiles.file.push(tile.file);
  for (const column of columns) tiles.labels[column]?.push(tile.labels[column] ?? '');
  tiles.bytes.push(tile.bytes);
  tiles.width.push(pixels.width);
  tiles.height.push(pixels.height);
  tiles.offset.push(offset);
  tiles.crc32.push(crc32(pixels.data));
}

/** What is there and no pack is somebody's. */
async function checkReplaceable(out: string): Promise<void> {
  const there = await stat(out).catch(() => undefined);
  if (there === undefined) return;
  try {
    await openPack(out);
  } catch (cause) {
    throw new StainfoldError('STAINFOLD_OUTPUT_EXISTS', `${out} is there already, and is no pack`, {
      hint: 'Choose another file, or delete that one.',
      cause,
    });
  }
}

/** A full disk is better met before an hour's work than after it. */
async function checkRoom(out: string, tiles: readonly Tile[], tileSize: number | undefined): Promise<void> {
  const { width, height } =
    tileSize === undefined
      ? ((await firstSize(tiles)) ?? { width: 0, height: 0 })
      : { width: tileSize, height: tileSize };
  const needed = tiles.length * aligned(width * height * 3);
  const disk = await statfs(dirname(out)).catch(() => undefined);
  if (disk === undefined || disk.bavail * disk.bsize >= needed) return;
  const gb = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new StainfoldError(
    'STAINFOLD_FILE_WRITE',
    `Cannot write ${out}: ${tiles.length} tiles of ${width} x ${height} take ${gb(needed)}, the disk has ${gb(disk.bavail * disk.bsize)} left`,
  );
}
