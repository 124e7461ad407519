/** A tiled RGB pyramid as BigTIFF, tile by tile in any order: what is known of a level's tiles is kept, their bytes are not. */
import type { FileHandle } from 'node:fs/promises';
import { TAG } from './tiff-file.js';

export interface WrittenLevel {
  width: number;
  height: number;
}

export interface PyramidFormat {
  tileSize: number;
  compression: 'jpeg' | 'deflate';
  /** Micrometres per pixel of the first level; null: unknown. */
  mpp: number | null;
  /** Of the first level: text, or OME-XML. */
  description: string;
  /** Levels as sub-directories of the first (OME-TIFF) instead of a chain. */
  subDirectories: boolean;
}

/** TIFF types. */
const ASCII = 2;
const SHORT = 3;
const LONG = 4;
const RATIONAL = 5;
const LONG8 = 16;
const IFD8 = 18;
const REDUCED = 1;
const COMPRESSION = { jpeg: 7, deflate: 8 } as const;
const PHOTOMETRIC = { jpeg: 6, deflate: 2 } as const;
const YCBCR_SUBSAMPLING = 530;
const CENTIMETRE = 3;
const HEADER = 16;

interface Field {
  tag: number;
  type: number;
  count: number;
  bytes: Buffer;
}

export class PyramidWriter {
  readonly #file: FileHandle;
  readonly #levels: readonly WrittenLevel[];
  readonly #format: PyramidFormat;
  readonly #places: { offsets: BigUint64Array; lengths: BigUint64Array }[];
  #end = HEADER;

  constructor(file: FileHandle, levels: readonly WrittenLevel[], format: PyramidFormat) {
    this.#file = file;
    this.#levels = levels;
    this.#format = format;
    this.#places = levels.map((level) => {
      const tiles = this.#columns(level) * Math.ceil(level.height / format.tileSize);
      return { offsets: new BigUint64Array(tiles), lengths: new BigUint64Array(tiles) };
    });
  }

  async addTile(level: number, column: number, row: number, bytes: Uint8Array): Promise<void> {
    const { offsets, lengths } = this.#places[level] as { offsets: BigUint64Array; lengths: BigUint64Array };
    const index = row * this.#columns(this.#levels[level] as WrittenLevel) + column;
    lengths[index] = BigInt(bytes.length);
    offsets[index] = BigInt(await this.#append(bytes));
  }

  /** The directories, and where the first is: until then the file is none. */
  async finish(): Promise<void> {
    const below: bigint[] = [];
    let next = 0n;
    // From the coarsest: each tells where the next coarser one is.
    for (let level = this.#levels.length - 1; level >= 1; level--) {
      next = await this.#directory(level, this.#format.subDirectories ? 0n : next, []);
      below.unshift(next);
    }
    const chained = this.#format.subDirectories;
    const first = await this.#directory(0, chained ? 0n : next, chained ? below : []);
    const header = Buffer.alloc(HEADER);
    header.write('II');
    header.writeUInt16LE(43, 2);
    header.writeUInt16LE(8, 4);
    header.writeBigUInt64LE(first, 8);
    await this.#file.write(header, 0, HEADER, 0);
  }

  #columns({ width }: WrittenLevel): number {
    return Math.ceil(width / this.#format.tileSize);
  }

  /** Where they went, at an even offset. */
  async #append(bytes: Uint8Array): Promise<number> {
    const at = this.#end;
    this.#end += bytes.length + (bytes.length % 2);
    await this.#file.write(bytes, 0, bytes.length, at);
    return at;
  }

  async #directory(level: number, next: bigint, below: readonly bigint[]): Promise<bigint> {
    const fields = this.#fields(level, below).sort((a, b) => a.tag - b.tag);
    const entries = Buffer.alloc(8 + 20 * fields.length + 8);
    entries.writeBigUInt64LE(BigInt(fields.length), 0);
    for (const [i, { tag, type, count, bytes }] of fields.entries()) {
      const at = 8 + 20 * i;
      entries.writeUInt16LE(tag, at);
      entries.writeUInt16LE(type, at + 2);
      entries.writeBigUInt64LE(BigInt(count), at + 4);
      if (bytes.length <= 8) bytes.copy(entries, at + 12);
      else entries.writeBigUInt64LE(BigInt(await this.#append(bytes)), at + 12);
    }
    entries.writeBigUInt64LE(next, entries.length - 8);
    return BigInt(await this.#append(entries));
  }

  #fields(level: number, below: readonly bigint[]): Field[] {
    const { tileSize, compression, mpp, description } = this.#format;
    const { width, height } = this.#levels[level] as WrittenLevel;
    const { offsets, lengths } = this.#places[level] as { offsets: BigUint64Array; lengths: BigUint64Array };
    const long8 = ({ buffer, byteOffset, byteLength }: BigUint64Array) =>
      Buffer.from(buffer, byteOffset, byteLength);
    const fields = [
      numbers(TAG.newSubfileType, LONG, [level === 0 ? 0 : REDUCED]),
      numbers(TAG.width, LONG, [width]),
      numbers(TAG.height, LONG, [height]),
      numbers(TAG.bitsPerSample, SHORT, [8, 8, 8]),
      numbers(TAG.compression, SHORT, [COMPRESSION[compression]]),
      numbers(TAG.photometric, SHORT, [PHOTOMETRIC[compression]]),
      numbers(TAG.samplesPerPixel, SHORT, [3]),
      numbers(TAG.planarConfiguration, SHORT, [1]),
      text(TAG.software, 'stainfold'),
      numbers(TAG.tileWidth, LONG, [tileSize]),
      numbers(TAG.tileHeight, LONG, [tileSize]),
      { tag: TAG.tileOffsets, type: LONG8, count: offsets.length, bytes: long8(offsets) },
      { tag: TAG.tileByteCounts, type: LONG8, count: lengths.length, bytes: long8(lengths) },
    ];
    if (level === 0) fields.push(text(TAG.description, description));
    if (compression === 'jpeg') fields.push(numbers(YCBCR_SUBSAMPLING, SHORT, [1, 1]));
    if (below.length > 0) {
      const bytes = Buffer.alloc(8 * below.length);
      for (const [i, offset] of below.entries()) bytes.writeBigUInt64LE(offset, 8 * i);
      fields.push({ tag: TAG.subIfds, type: IFD8, count: below.length, bytes });
    }
    if (mpp !== null) {
      const first = this.#levels[0] as WrittenLevel;
      fields.push(perCentimetre(TAG.xResolution, mpp * (first.width / width)));
      fields.push(perCentimetre(TAG.yResolution, mpp * (first.height / height)));
      fields.push(numbers(TAG.resolutionUnit, SHORT, [CENTIMETRE]));
    }
    return fields;
  }
}

function numbers(tag: number, type: typeof SHORT | typeof LONG, values: readonly number[]): Field {
  const size = type === SHORT ? 2 : 4;
  const bytes = Buffer.alloc(size * values.length);
  for (const [i, value] of values.entries()) bytes.writeUIntLE(value, size * i, size);
  return { tag, type, count: values.length, bytes };
}

function text(tag: number, value: string): Field {
  const bytes = Buffer.from(`${value}\0`);
  return { tag, type: ASCII, count: bytes.length, bytes };
}

/** Pixels per centimetre as a fraction of two 32-bit numbers, to nine digits. */
function perCentimetre(tag: number, mpp: number): Field {
  const density = 10_000 / mpp;
  const scale = 10 ** Math.min(9, Math.max(0, Math.floor(Math.log10((2 ** 32 - 1) / Math.max(1, density)))));
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(Math.round(density * scale), 0);
  bytes.writeUInt32LE(scale, 4);
  return { tag, type: RATIONAL, count: 1, bytes };
}
