/**
 * A pyramid made from its finest level in memory that does not grow with the slide. A block of 4 x 4 tiles gives its own tiles,
 * those of the next level, and the one tile of the level above that it covers; 4 x 4 of such tiles are a block again.
 */
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { orderedMap } from '../data/ordered-map.js';
import { sharp } from '../files/sharp.js';
import type { NativeSlides } from '../internal/native-slide.js';
import type { PyramidFormat, PyramidWriter, WrittenLevel } from './tiff-writer.js';

/** Tiles along a block's side, and the levels that it lies below the tile that stands for it. */
const ACROSS = 4;
const LEVELS_UP = 2;
/** Blocks of the finest level read and changed at a time. */
const BLOCKS_IN_FLIGHT = 3;

/** Halves until all is one tile. A pixel that is left over at the right or below is dropped, as libvips does. */
export function pyramidLevels(width: number, height: number, tileSize: number): WrittenLevel[] {
  const levels = [{ width, height }];
  for (let last = levels[0] as WrittenLevel; Math.max(last.width, last.height) > tileSize; ) {
    last = { width: Math.max(1, last.width >> 1), height: Math.max(1, last.height >> 1) };
    levels.push(last);
  }
  return levels;
}

export interface PyramidSource {
  native: NativeSlides;
  levels: readonly WrittenLevel[];
  format: PyramidFormat;
  /** Of JPEG, 1 to 100. */
  quality: number;
  writer: PyramidWriter;
  /** RGB of the finest level, [side,side,3]; what is not slide is white. */
  read(x: number, y: number, side: number): Promise<Uint8Array>;
  /** After each block of the finest level. */
  onBlock(): void;
  signal?: AbortSignal | undefined;
}

/** Blocks of the finest level. */
export function countBlocks({ width, height }: WrittenLevel, tileSize: number): number {
  return Math.ceil(width / (ACROSS * tileSize)) * Math.ceil(height / (ACROSS * tileSize));
}

export async function writePyramid(source: PyramidSource): Promise<void> {
  const top = source.levels.length - 1;
  // The level of the blocks, the last of which covers the whole.
  let level = 0;
  while (level + LEVELS_UP - 1 < top) level += LEVELS_UP;
  await block(source, level, 0, 0);
  await source.writer.finish();
}

/** Writes the tiles of a block, of all below it and of the level above; gives the tile that stands for it. */
async function block(source: PyramidSource, level: number, x: number, y: number): Promise<Uint8Array> {
  const { format, native } = source;
  const side = ACROSS * format.tileSize;
  const pixels = await (level === 0 ? source.read(x * side, y * side, side) : assemble(source, level, x, y));
  await writeTiles(source, level, x, y, pixels, side);
  const half = await native.halveRegion(pixels, side, side);
  await writeTiles(source, level + 1, x, y, half, side / 2);
  if (level === 0) source.onBlock();
  return await native.halveRegion(half, side / 2, side / 2);
}

async function assemble(source: PyramidSource, level: number, x: number, y: number): Promise<Uint8Array> {
  const { tileSize } = source.format;
  const below = source.levels[level - LEVELS_UP] as WrittenLevel;
  const block0 = ACROSS * tileSize;
  const children: { column: number; row: number }[] = [];
  for (let row = 0; row < ACROSS; row++)
    for (let column = 0; column < ACROSS; column++) {
      const there =
        (x * ACROSS + column) * block0 < below.width && (y * ACROSS + row) * block0 < below.height;
      if (there) children.push({ column, row });
    }
  const side = ACROSS * tileSize;
  const pixels = new Uint8Array(side * side * 3).fill(255);
  const inFlight = level === LEVELS_UP ? BLOCKS_IN_FLIGHT : 1;
  const work = async ({ column, row }: { column: number; row: number }) => ({
    column,
    row,
    tile: await block(source, level - LEVELS_UP, x * ACROSS + column, y * ACROSS + row),
  });
  for await (const { column, row, tile } of orderedMap(children, inFlight, work, source.signal)) {
    for (let line = 0; line < tileSize; line++) {
      const from = tile.subarray(line * tileSize * 3, (line + 1) * tileSize * 3);
      pixels.set(from, ((row * tileSize + line) * side + column * tileSize) * 3);
    }
  }
  return pixels;
}

/** Those tiles of a block's picture that the level has. */
async function writeTiles(
  source: PyramidSource,
  level: number,
  x: number,
  y: number,
  pixels: Uint8Array,
  side: number,
): Promise<void> {
  const size = source.levels[level];
  if (size === undefined) return;
  const { tileSize } = source.format;
  const across = side / tileSize;
  const jobs: Promise<void>[] = [];
  for (let row = 0; row < across; row++)
    for (let column = 0; column < across; column++) {
      const [left, top] = [x * across + column, y * across + row];
      if (left * tileSize >= size.width || top * tileSize >= size.height) continue;
      const corner = { left: column * tileSize, top: row * tileSize };
      jobs.push(
        encode(source, pixels, side, corner).then((bytes) => source.writer.addTile(level, left, top, bytes)),
      );
    }
  await Promise.all(jobs);
}

async function encode(
  { format, quality }: PyramidSource,
  pixels: Uint8Array,
  side: number,
  corner: { left: number; top: number },
): Promise<Uint8Array> {
  const { tileSize, compression } = format;
  const tile = sharp(pixels, { raw: { width: side, height: side, channels: 3 } }).extract({
    ...corner,
    width: tileSize,
    height: tileSize,
  });
  // 4:4:4: stains are told apart by colour.
  if (compression === 'jpeg') return await tile.jpeg({ quality, chromaSubsampling: '4:4:4' }).toBuffer();
  return await promisify(deflate)(await tile.raw().toBuffer());
}
