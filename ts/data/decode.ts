/**
 * Any image to a square 8-bit sRGB tile: alpha over white (slides are bright where empty), grey to RGB, 16 bits to 8, EXIF
 * orientation applied, then resized to cover the square and cropped about its centre. Each image is decoded whole, or not.
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { Sharp } from 'sharp';
import { StainfoldError } from '../errors.js';
import { jpegDecoder } from '../files/jpeg-decoder.js';
import { loadSharp, sharp } from '../files/sharp.js';
import type { Profiler, RawTile, TileInput } from '../types.js';
import { isBmp, readBmp } from './bmp.js';
import { reasonOf } from './file-errors.js';
import { checkRaw, isRawTile } from './own-tile.js';
import { mayBePacked, packedTile } from './pack.js';

/** Decodes at a time: one a core. sharp's run on libuv's pool, which has 4 threads unless UV_THREADPOOL_SIZE says more. */
export const DECODE_CONCURRENCY = Math.max(2, availableParallelism());

/** Tiles that are decoded ahead of whoever takes them: one in each worker's hands, one ready for it. */
export const DECODE_AHEAD = 2 * DECODE_CONCURRENCY;

/** Extensions that a folder is searched for. */
export const TILE_EXTENSIONS: ReadonlySet<string> = new Set([
  '.jpg',
  '.jpeg',
  '.png',
  '.tif',
  '.tiff',
  '.webp',
  '.bmp',
]);

const WHITE = { r: 255, g: 255, b: 255 };
// 'error' refuses damaged and truncated images; 'warning' would also refuse the harmless oddities scanners write.
const INPUT = { failOn: 'error' } as const;

/** What a tile is called in messages. */
export function tileName(tile: TileInput): string {
  if (typeof tile === 'string') return tile;
  if (!isRawTile(tile)) return `image of ${tile.length} bytes`;
  return `raw tile of ${tile.width} x ${tile.height} x ${tile.channels}`;
}

/**
 * -> [tileSize,tileSize,3]: memory of its own, or a raw tile's that fits. Rejects with STAINFOLD_TILE_UNREADABLE whose detail
 * names the tile and the reason.
 */
export async function decodeTile(tile: TileInput, tileSize: number, profile?: Profiler): Promise<Uint8Array> {
  const asItIs = pixelsAsTheyAre(tile, tileSize);
  if (asItIs !== undefined) return asItIs;
  if (typeof tile === 'string' && mayBePacked(tile)) {
    const read = (): Promise<RawTile | undefined> => packed(tile);
    const raw = await (profile === undefined ? read() : profile.time('read', read));
    if (raw !== undefined) return decodeTile(raw, tileSize, profile);
  } else if (!isRawTile(tile)) {
    const pixels = await decodeJpeg(tile, tileSize, profile);
    if (pixels !== undefined) return pixels;
  }
  const { data } = await pixelsOf(
    tile,
    (image) => image.resize(tileSize, tileSize, { fit: 'cover', position: 'centre' }),
    profile,
  );
  return data;
}

/** A raw tile's pixels where they are what decodeTile gives; undefined for all that takes work. Throws where it contradicts itself. */
export function pixelsAsTheyAre(tile: TileInput, tileSize: number): Uint8Array | undefined {
  if (!isRawTile(tile)) return undefined;
  checkRaw(tile);
  const fits = tile.channels === 3 && tile.width === tileSize && tile.height === tileSize;
  return fits ? tile.data : undefined;
}

/** Decodes under way on each of the native decoder's threads. */
const load: number[] = Array.from({ length: DECODE_CONCURRENCY }, () => 0);

/** By the native decoder, where there is one and the tile is a JPEG of this size that wants nothing done to it. */
async function decodeJpeg(
  tile: string | Uint8Array,
  tileSize: number,
  profile: Profiler | undefined,
): Promise<Uint8Array | undefined> {
  const decode = jpegDecoder();
  const isJpeg = typeof tile === 'string' ? /\.jpe?g$/i.test(tile) : tile[0] === 0xff && tile[1] === 0xd8;
  if (decode === undefined || !isJpeg) return undefined;
  const into = Buffer.allocUnsafeSlow(tileSize * tileSize * 3);
  const stamps = profile === undefined ? null : new Float64Array(3);
  const worker = load.indexOf(Math.min(...load));
  load[worker] = (load[worker] as number) + 1;
  try {
    if (!(await decode(tile, tileSize, into, worker, stamps))) return undefined;
  } finally {
    load[worker] = (load[worker] as number) - 1;
  }
  if (stamps !== null) profile?.addStamps(['read', 'decode'], stamps);
  return into;
}

/** As decodeTile, at the size that the image has. `likelySide`: a guess, which makes square JPEGs of that size fast. */
export async function decodeImage(tile: TileInput, likelySide?: number): Promise<RawTile> {
  if (isRawTile(tile)) {
    checkRaw(tile);
    if (tile.channels === 3) return tile;
  } else if (typeof tile === 'string' && mayBePacked(tile)) {
    const raw = await packed(tile);
    if (raw !== undefined) return raw;
  } else if (likelySide !== undefined) {
    const data = await decodeJpeg(tile, likelySide, undefined);
    if (data !== undefined) return { data, width: likelySide, height: likelySide, channels: 3 };
  }
  return pixelsOf(tile, (image) => image);
}

/** A tile of a pack; undefined where the path names a file in a folder. */
async function packed(path: string): Promise<RawTile | undefined> {
  const found = await packedTile(path);
  return found?.pack.tile(found.place);
}

async function pixelsOf(
  tile: TileInput,
  shape: (image: Sharp) => Sharp,
  profile?: Profiler,
): Promise<RawTile> {
  loadSharp(); // here, as its failure is not the tile's
  try {
    // sharp reads and decodes a file in one go; apart only where somebody asks which of the two it is.
    const apart = profile !== undefined && typeof tile === 'string';
    const source = apart ? await profile.time('read', () => readFile(tile)) : tile;
    const draw = async () => {
      const image = (await open(source)).flatten({ background: WHITE }).toColourspace('srgb');
      return shape(image).raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    };
    const { data, info } = await (profile === undefined ? draw() : profile.time('decode', draw));
    if (info.channels !== 3) throw new Error(`${info.channels} channels cannot be made RGB`);
    return { data, width: info.width, height: info.height, channels: 3 };
  } catch (cause) {
    throw unreadable(tile, cause);
  }
}

/** Width and height in pixels, as stored. Rejects as decodeTile does. */
export async function probeTile(tile: TileInput): Promise<{ width: number; height: number }> {
  const found = typeof tile === 'string' && mayBePacked(tile) ? await packedTile(tile) : undefined;
  if (found !== undefined) return found.pack.sizeOf(found.place);
  loadSharp();
  try {
    const { width, height } = await (await open(tile)).metadata();
    return { width, height };
  } catch (cause) {
    throw unreadable(tile, cause);
  }
}

async function open(tile: TileInput): Promise<Sharp> {
  if (isRawTile(tile)) {
    const { data, width, height, channels } = tile;
    return sharp(data, { ...INPUT, raw: { width, height, channels } });
  }
  if (typeof tile === 'string') {
    if (!/\.bmp$/i.test(tile)) return sharp(tile, INPUT).autoOrient();
    return open(await readFile(tile));
  }
  if (!isBmp(tile)) return sharp(tile, INPUT).autoOrient();
  const { data, width, height, channels } = readBmp(tile);
  // A pass of its own: sharp drops alpha last of all, after a flatten, and a BMP's fourth byte is not alpha.
  const rgb = await sharp(data, { raw: { width, height, channels } })
    .removeAlpha()
    .recomb([
      [0, 0, 1],
      [0, 1, 0],
      [1, 0, 0],
    ])
    .raw()
    .toBuffer();
  return sharp(rgb, { raw: { width, height, channels: 3 } });
}

function unreadable(tile: TileInput, cause: unknown): StainfoldError {
  // libvips has one place for its words, which another thread's decode may have emptied.
  const said = reasonOf(cause);
  const reason = said === 'Unknown error' ? 'damaged or cut off' : said;
  return new StainfoldError('STAINFOLD_TILE_UNREADABLE', `${tileName(tile)}: ${reason}`, { cause });
}
