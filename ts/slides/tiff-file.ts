/**
 * The structure of a TIFF (classic or BigTIFF, either byte order): directories and the values of their tags. Nothing that a
 * file says is believed before it is known to lie inside the file.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { readError } from '../data/file-errors.js';
import { StainfoldError } from '../errors.js';

/** Tags that are asked for; TIFF 6.0, its supplements, and Aperio's. */
export const TAG = {
  newSubfileType: 254,
  width: 256,
  height: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  description: 270,
  make: 271,
  samplesPerPixel: 277,
  xResolution: 282,
  yResolution: 283,
  planarConfiguration: 284,
  resolutionUnit: 296,
  software: 305,
  predictor: 317,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileByteCounts: 325,
  subIfds: 330,
  sampleFormat: 339,
  jpegTables: 347,
  iccProfile: 34675,
} as const;

/** Bytes of one value, by TIFF type. */
const SIZES: Record<number, number> = {
  1: 1, // BYTE
  2: 1, // ASCII
  3: 2, // SHORT
  4: 4, // LONG
  5: 8, // RATIONAL
  6: 1,
  7: 1, // UNDEFINED
  8: 2,
  9: 4,
  10: 8,
  11: 4,
  12: 8,
  13: 4, // IFD
  16: 8, // LONG8
  17: 8,
  18: 8, // IFD8
};

interface Entry {
  type: number;
  count: number;
  /** Where the values are in the file. */
  offset: number;
}

export interface TiffDirectory {
  /** In the file. */
  offset: number;
  entries: ReadonlyMap<number, Entry>;
}

/** More directories than any slide has; a file that names more is damaged. */
const MOST_DIRECTORIES = 4096;
/** More than any value but the places of tiles; those of 2^25 tiles fit. */
const MOST_VALUE_BYTES = 2 ** 28;

export class TiffFile {
  readonly path: string;
  readonly size: number;
  /** The main chain, in its order. */
  directories: readonly TiffDirectory[] = [];
  readonly #handle: FileHandle;
  #little = true;
  #big = false;
  /** Of the directories read so far: more than the file has, and they lie over one another to take time. */
  #directoryBytes = 0;

  private constructor(path: string, handle: FileHandle, size: number) {
    this.path = path;
    this.#handle = handle;
    this.size = size;
  }

  /** Throws STAINFOLD_FILE_NOT_FOUND, STAINFOLD_FILE_READ; STAINFOLD_SLIDE_READ where it is no TIFF or its directories are damaged. */
  static async open(path: string): Promise<TiffFile> {
    let handle: FileHandle;
    try {
      handle = await open(path, 'r');
    } catch (cause) {
      throw readError(path, cause);
    }
    try {
      const file = new TiffFile(path, handle, (await handle.stat()).size);
      await file.#readDirectories();
      return file;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** Throws STAINFOLD_SLIDE_READ where the file ends before. */
  async read(offset: number, length: number, what: string): Promise<Buffer> {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw this.damaged(`${what} would lie at bytes ${offset} to ${offset + length} of ${this.size}`);
    }
    const into = Buffer.allocUnsafe(length);
    let bytesRead: number;
    try {
      ({ bytesRead } = await this.#handle.read(into, 0, length, offset));
    } catch (cause) {
      throw new StainfoldError(
        'STAINFOLD_SLIDE_READ',
        `${this.path}: ${what} cannot be read: ${String(cause)}`,
        { cause },
      );
    }
    if (bytesRead < length) throw this.damaged(`${what} ends after ${bytesRead} of ${length} bytes`);
    return into;
  }

  damaged(detail: string): StainfoldError {
    return new StainfoldError('STAINFOLD_SLIDE_READ', `${this.path} is damaged or cut off: ${detail}`);
  }

  /** All values of a tag as numbers; rationals as quotients, 64 bits as far as a double is exact. Empty where there is no such tag. */
  async numbers(directory: TiffDirectory, tag: number): Promise<Float64Array> {
    const entry = directory.entries.get(tag);
    if (entry === undefined) return new Float64Array(0);
    const bytes = await this.#value(entry, tag);
    const size = SIZES[entry.type] as number;
    return Float64Array.from({ length: entry.count }, (_, i) => this.#number(bytes, i * size, entry.type));
  }

  /** The first value of a tag, or `missing`. */
  async number<Missing>(directory: TiffDirectory, tag: number, missing: Missing): Promise<number | Missing> {
    const entry = directory.entries.get(tag);
    if (entry === undefined || entry.count === 0) return missing;
    const bytes = await this.#value({ ...entry, count: 1 }, tag);
    return this.#number(bytes, 0, entry.type);
  }

  /** Text or bytes of a tag, undefined where there is none. */
  async bytes(directory: TiffDirectory, tag: number): Promise<Buffer | undefined> {
    const entry = directory.entries.get(tag);
    return entry && (await this.#value(entry, tag));
  }

  /** Up to the first zero; the first `most` bytes of it. */
  async text(directory: TiffDirectory, tag: number, most = Number.POSITIVE_INFINITY): Promise<string> {
    const entry = directory.entries.get(tag);
    if (entry === undefined) return '';
    const bytes = await this.#value({ ...entry, count: Math.min(entry.count, most) }, tag);
    const end = bytes.indexOf(0);
    return bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
  }

  /** The directories below one: the levels of an OME-TIFF. */
  async subDirectories(directory: TiffDirectory): Promise<TiffDirectory[]> {
    const offsets = await this.numbers(directory, TAG.subIfds);
    if (offsets.length > MOST_DIRECTORIES) throw this.damaged(`it names ${offsets.length} sub-directories`);
    const found: TiffDirectory[] = [];
    for (const offset of offsets) found.push((await this.#readDirectory(offset)).directory);
    return found;
  }

  async #readDirectories(): Promise<void> {
    const header = await this.read(0, Math.min(16, this.size), 'the header');
    const order = header.toString('latin1', 0, 2);
    if (header.length < 8 || (order !== 'II' && order !== 'MM')) throw this.damaged('it is no TIFF');
    this.#little = order === 'II';
    const magic = this.#number(header, 2, 3);
    if (magic !== 42 && !(magic === 43 && header.length === 16)) throw this.damaged('it is no TIFF');
    this.#big = magic === 43;
    let offset = this.#big ? this.#number(header, 8, 16) : this.#number(header, 4, 4);
    const directories: TiffDirectory[] = [];
    const seen = new Set<number>();
    while (offset !== 0) {
      if (seen.has(offset) || directories.length === MOST_DIRECTORIES)
        throw this.damaged('its directories form a circle');
      seen.add(offset);
      const { directory, next } = await this.#readDirectory(offset);
      directories.push(directory);
      offset = next;
    }
    if (directories.length === 0) throw this.damaged('it has no directory');
    this.directories = directories;
  }

  async #readDirectory(offset: number): Promise<{ directory: TiffDirectory; next: number }> {
    const [countType, entrySize, offsetType] = this.#big ? ([16, 20, 16] as const) : ([3, 12, 4] as const);
    const countSize = SIZES[countType] as number;
    const inline = SIZES[offsetType] as number;
    const count = this.#number(await this.read(offset, countSize, 'a directory'), 0, countType);
    const length = count * entrySize;
    this.#directoryBytes += countSize + length + inline;
    if (this.#directoryBytes > this.size) throw this.damaged('its directories overlap');
    const bytes = await this.read(offset + countSize, length + inline, 'a directory');
    const entries = new Map<number, Entry>();
    for (let at = 0; at < length; at += entrySize) {
      const type = this.#number(bytes, at + 2, 3);
      const values = this.#number(bytes, at + 4, this.#big ? 16 : 4);
      const valueAt = entrySize - inline;
      const fits = (SIZES[type] ?? 0) * values <= inline;
      const place = fits ? offset + countSize + at + valueAt : this.#number(bytes, at + valueAt, offsetType);
      entries.set(this.#number(bytes, at, 3), { type, count: values, offset: place });
    }
    return { directory: { offset, entries }, next: this.#number(bytes, length, offsetType) };
  }

  async #value({ type, count, offset }: Entry, tag: number): Promise<Buffer> {
    const size = SIZES[type];
    if (size === undefined) throw this.damaged(`tag ${tag} has the unknown type ${type}`);
    if (size * count > MOST_VALUE_BYTES) throw this.damaged(`tag ${tag} has ${count} values`);
    return this.read(offset, size * count, `tag ${tag}`);
  }

  #number(bytes: Buffer, at: number, type: number): number {
    const little = this.#little;
    switch (type) {
      case 1:
      case 2:
      case 7:
        return bytes.readUInt8(at);
      case 6:
        return bytes.readInt8(at);
      case 3:
        return little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
      case 8:
        return little ? bytes.readInt16LE(at) : bytes.readInt16BE(at);
      case 4:
      case 13:
        return little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
      case 9:
        return little ? bytes.readInt32LE(at) : bytes.readInt32BE(at);
      case 5:
        return this.#number(bytes, at, 4) / this.#number(bytes, at + 4, 4);
      case 10:
        return this.#number(bytes, at, 9) / this.#number(bytes, at + 4, 9);
      case 11:
        return little ? bytes.readFloatLE(at) : bytes.readFloatBE(at);
      case 12:
        return little ? bytes.readDoubleLE(at) : bytes.readDoubleBE(at);
      case 17:
        return Number(little ? bytes.readBigInt64LE(at) : bytes.readBigInt64BE(at));
      default:
        return Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
    }
  }
}
