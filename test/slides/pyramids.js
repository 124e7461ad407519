// Slides made for tests: TIFFs written byte by byte, so that every pixel of every level is known and every tag can be odd.
import { writeFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';

/** Seeded smooth colours with edges, [height,width,3]: no two neighbourhoods alike. */
export function picture(width, height, seed = 1) {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const cell = ((x >> 4) * 31 + (y >> 4) * 17 + seed * 7) % 23;
      data[i++] = 128 + 100 * Math.sin((x + seed) / 7) * Math.cos(y / 11);
      data[i++] = (cell * 11 + ((x * y) % 7) * 3) % 256;
      data[i++] = 255 - ((x * 3 + y * 5 + cell) % 200);
    }
  }
  return { data, width, height };
}

/** Each pixel the mean of 2 x 2, as scanners make their levels; a last odd row or column is dropped. */
export function halve({ data, width, height }) {
  const half = { width: width >> 1, height: height >> 1 };
  half.data = new Uint8Array(half.width * half.height * 3);
  for (let y = 0, i = 0; y < half.height; y++) {
    for (let x = 0; x < half.width; x++) {
      for (let c = 0; c < 3; c++) {
        const at = (2 * y * width + 2 * x) * 3 + c;
        half.data[i++] = Math.round(
          (data[at] + data[at + 3] + data[at + width * 3] + data[at + width * 3 + 3]) / 4,
        );
      }
    }
  }
  return half;
}

export function pyramidOf(full, levels) {
  const made = [full];
  while (made.length < levels) made.push(halve(made.at(-1)));
  return made;
}

const SHORT = 3;
const LONG = 4;
const RATIONAL = 5;
const ASCII = 2;
const UNDEFINED = 7;

/** Splits an image into whole tiles (edges filled with `fill`) and stores each with Deflate. */
function tilesOf({ data, width, height }, side, fill = 255) {
  const tiles = [];
  for (let top = 0; top < height; top += side) {
    for (let left = 0; left < width; left += side) {
      const tile = Buffer.alloc(side * side * 3, fill);
      for (let y = top; y < Math.min(height, top + side); y++) {
        const row = data.subarray((y * width + left) * 3, (y * width + Math.min(width, left + side)) * 3);
        tile.set(row, (y - top) * side * 3);
      }
      tiles.push(deflateSync(tile, { level: 1 }));
    }
  }
  return tiles;
}

/**
 * Writes images as the directories of one classic TIFF. `images`: { width, height, data } (stored in Deflate tiles), or
 * { width, height, tiles: Buffer[], tags } with tiles as they are. `tags`: [tag, type, value] of each image that replace or
 * join the usual ones; a null value leaves the tag out. `options.subIfds`: the images after the first hang below it.
 */
export function writeTiff(path, images, { tile = 64, tags = [], bigEndian = false, subIfds = false } = {}) {
  const chunks = [];
  let size = 8;
  const append = (bytes) => {
    const at = size;
    chunks.push(bytes);
    size += bytes.length;
    if (size % 2) {
      chunks.push(Buffer.alloc(1));
      size++;
    }
    return at;
  };
  const u16 = (value) => {
    const bytes = Buffer.alloc(2);
    bigEndian ? bytes.writeUInt16BE(value) : bytes.writeUInt16LE(value);
    return bytes;
  };
  const u32 = (value) => {
    const bytes = Buffer.alloc(4);
    bigEndian ? bytes.writeUInt32BE(value) : bytes.writeUInt32LE(value);
    return bytes;
  };
  const encode = (type, value) => {
    if (type === ASCII) return Buffer.from(`${value}\0`, 'utf8');
    if (type === UNDEFINED) return Buffer.from(value);
    const list = Array.isArray(value) ? value : [value];
    if (type === RATIONAL) return Buffer.concat(list.flatMap((v) => [u32(Math.round(v * 1000)), u32(1000)]));
    return Buffer.concat(list.map(type === SHORT ? u16 : u32));
  };

  const places = [];
  const tileOffsets = [];
  const fixups = [];
  for (const [index, image] of images.entries()) {
    const tiles = image.tiles ?? tilesOf(image, tile, image.fill);
    // One buffer named often is stored once: a slide of any size from one tile.
    const stored = new Map();
    const offsets = tiles.map((bytes) => {
      if (!stored.has(bytes)) stored.set(bytes, bytes.length === 0 ? 0 : append(bytes));
      return stored.get(bytes);
    });
    tileOffsets.push(offsets);
    const side = image.tileSize ?? tile;
    const entries = new Map([
      [254, [LONG, index === 0 ? 0 : 1]],
      [256, [LONG, image.width]],
      [257, [LONG, image.height]],
      [258, [SHORT, [8, 8, 8]]],
      [259, [SHORT, 8]],
      [262, [SHORT, 2]],
      [277, [SHORT, 3]],
      [284, [SHORT, 1]],
      [322, [LONG, side]],
      [323, [LONG, side]],
      [324, [LONG, offsets]],
      [325, [LONG, tiles.map((bytes) => bytes.length)]],
    ]);
    if (subIfds && index === 0 && images.length > 1) entries.set(330, [LONG, images.slice(1).map(() => 0)]);
    for (const [tag, type, value] of [...(index === 0 ? tags : []), ...(image.tags ?? [])]) {
      if (value === null) entries.delete(tag);
      else entries.set(tag, [type, value]);
    }
    const sorted = [...entries].sort(([a], [b]) => a - b);
    const values = sorted.map(([tag, [type, value]]) => {
      const bytes = encode(type, value);
      const unit = { [ASCII]: 1, [UNDEFINED]: 1, [SHORT]: 2, [LONG]: 4, [RATIONAL]: 8 }[type];
      return {
        tag,
        type,
        bytes,
        count: bytes.length / unit,
        at: bytes.length > 4 ? append(bytes) : undefined,
      };
    });
    const subs = values.find(({ tag }) => tag === 330);
    const parts = [u16(sorted.length)];
    let subsInline;
    for (const { tag, type, count, bytes, at } of values) {
      if (tag === 330 && at === undefined) subsInline = parts.reduce((sum, part) => sum + part.length, 0) + 8;
      parts.push(u16(tag), u16(type), u32(count));
      parts.push(at === undefined ? Buffer.concat([bytes, Buffer.alloc(4 - bytes.length)]) : u32(at));
    }
    const body = Buffer.concat([...parts, u32(0)]);
    const place = append(body);
    places.push(place);
    if (subs) fixups.push(subs.at ?? place + subsInline);
  }

  const file = Buffer.concat([Buffer.alloc(8), ...chunks]);
  file.set(Buffer.from(bigEndian ? 'MM' : 'II', 'latin1'), 0);
  file.set(u16(42), 2);
  file.set(u32(places[0]), 4);
  if (subIfds) {
    for (const [i, place] of places.slice(1).entries()) file.set(u32(place), fixups[0] + 4 * i);
  } else {
    for (const [i, place] of places.slice(0, -1).entries()) {
      const count = bigEndian ? file.readUInt16BE(place) : file.readUInt16LE(place);
      file.set(u32(places[i + 1]), place + 2 + 12 * count);
    }
  }
  writeFileSync(path, file);
  return { path, bytes: file.length, places, tileOffsets };
}

/** Tags that state micrometres per pixel. */
export const mppTags = (mpp) => [
  [282, RATIONAL, 10_000 / mpp],
  [283, RATIONAL, 10_000 / mpp],
  [296, SHORT, 3],
];

/** A level of any size that repeats one square picture. */
export function repeated(tile, columns, rows) {
  const bytes = deflateSync(Buffer.from(tile.data), { level: 1 });
  const [width, height] = [columns * tile.width, rows * tile.height];
  return { width, height, tileSize: tile.width, tiles: Array(columns * rows).fill(bytes) };
}

const cubic = (x) => {
  const a = Math.abs(x);
  if (a < 1) return (1.5 * a - 2.5) * a * a + 1;
  return a < 2 ? ((-0.5 * a + 2.5) * a - 4) * a + 2 : 0;
};

/**
 * The slow reference: a region of one level, each output pixel by itself from the definition in include/stainfold/slide.h.
 * x, y: its corner in level pixels.
 */
export function regionOf(level, { x, y, scale, width, height }) {
  const out = new Uint8Array(width * height * 3).fill(255);
  const wide = Math.max(1, scale);
  const weights = (centre, extent) => {
    const found = [];
    for (let j = 0; j < extent; j++) {
      const weight = cubic((j + 0.5 - centre) / wide);
      // Pillow counts a pixel in by its centre, rounded: the cubic is 0 where that matters.
      if (weight !== 0) found.push([j, weight]);
    }
    const sum = found.reduce((total, [, weight]) => total + weight, 0);
    return found.map(([j, weight]) => [j, weight / sum]);
  };
  for (let row = 0; row < height; row++) {
    const down = y + (row + 0.5) * scale;
    if (down < 0 || down >= level.height) continue;
    const rows = weights(down, level.height);
    for (let column = 0; column < width; column++) {
      const across = x + (column + 0.5) * scale;
      if (across < 0 || across >= level.width) continue;
      const columns = weights(across, level.width);
      for (let c = 0; c < 3; c++) {
        let value = 0;
        for (const [j, weight] of rows) {
          for (const [i, other] of columns)
            value += weight * other * level.data[(j * level.width + i) * 3 + c];
        }
        out[(row * width + column) * 3 + c] = Math.min(255, Math.max(0, Math.floor(value + 0.5)));
      }
    }
  }
  return out;
}

export function largestDifference(a, b) {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}
