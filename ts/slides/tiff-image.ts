/** One image of a TIFF: its size, how it is stored, and its tiles decoded. */
import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { reasonOf } from '../data/file-errors.js';
import { StainfoldError } from '../errors.js';
import { sharp } from '../files/sharp.js';
import { abbreviatedJpeg } from './jpeg-tile.js';
import { TAG, type TiffDirectory, type TiffFile } from './tiff-file.js';

/** Where libtiff, which sharp decodes with, finds the image. */
export interface TiffPlace {
  /** In the main chain. */
  page: number;
  /** Among the page's sub-directories; -1: the page itself. */
  subifd: number;
}

export interface TiffImage {
  place: TiffPlace;
  directory: TiffDirectory;
  width: number;
  height: number;
  /** 0 where the image is in strips. */
  tileWidth: number;
  tileHeight: number;
  compression: number;
  photometric: number;
  samples: number;
  bits: number;
  /** 1: pixels as they are; 2: differences along the row. */
  predictor: number;
  /** 1: samples of a pixel side by side; 2: a plane each. */
  planar: number;
  /** Bit 0: a reduced version of another image. */
  subfileType: number;
  description: string;
}

const COMPRESSIONS: Record<number, string> = {
  1: 'none',
  5: 'LZW',
  6: 'old JPEG',
  7: 'JPEG',
  8: 'Deflate',
  32773: 'PackBits',
  32946: 'Deflate',
  33003: 'JPEG 2000 (Aperio, YCbCr)',
  33005: 'JPEG 2000 (Aperio, RGB)',
  34712: 'JPEG 2000',
  50000: 'Zstandard',
  50001: 'WebP',
};
/** What sharp's libtiff decodes: it is built without Zstandard. */
const DECODED = new Set([1, 5, 7, 8, 32773, 32946, 50001]);
const inflated = promisify(inflate) as (
  bytes: Buffer,
  options: { maxOutputLength: number },
) => Promise<Buffer>;

const PLAIN = 1;
const JPEG = 7;
const DEFLATE = new Set([8, 32946]);
const RGB = 2;
const YCBCR = 6;
const GREY = new Set([0, 1]);

const MOST_SIDE = 2 ** 32 - 1;
/** Bytes of what is read of any image but the first: its beginning says what it is. */
const MOST_DESCRIPTION = 4096;
/** Sides of tiles: smaller ones are more to keep account of than to look at; 192 MiB as RGB are no tile. */
const LEAST_TILE = 8;
const MOST_TILE_PIXELS = 2 ** 26;

export async function readTiffImage(
  file: TiffFile,
  directory: TiffDirectory,
  place: TiffPlace,
): Promise<TiffImage> {
  const number = async (tag: number, missing: number): Promise<number> => {
    const value = await file.number(directory, tag, missing);
    if (Number.isInteger(value) && value >= 0 && value <= MOST_SIDE) return value;
    throw file.damaged(`tag ${tag} is ${value}`);
  };
  const first = place.page === 0 && place.subifd === -1;
  const image: TiffImage = {
    place,
    directory,
    width: await number(TAG.width, 0),
    height: await number(TAG.height, 0),
    tileWidth: await number(TAG.tileWidth, 0),
    tileHeight: await number(TAG.tileHeight, 0),
    compression: await number(TAG.compression, 1),
    photometric: await number(TAG.photometric, RGB),
    samples: await number(TAG.samplesPerPixel, 1),
    bits: await number(TAG.bitsPerSample, 1),
    predictor: await number(TAG.predictor, 1),
    planar: await number(TAG.planarConfiguration, 1),
    subfileType: await number(TAG.newSubfileType, 0),
    description: await file.text(directory, TAG.description, first ? undefined : MOST_DESCRIPTION),
  };
  const { width, height } = image;
  if (!(width >= 1 && height >= 1)) throw file.damaged(`an image of it is ${width} x ${height} pixels`);
  return image;
}

export function isTiled({ tileWidth, tileHeight }: TiffImage): boolean {
  return tileWidth > 0 && tileHeight > 0;
}

/** Why the pixels of an image cannot be read, as a sentence's end; undefined where they can. */
export function obstacle(image: TiffImage): string | undefined {
  const { compression, photometric, samples, bits, planar } = image;
  if (bits !== 8) return `it has ${bits} bits a sample, and slides are read with 8`;
  if (!DECODED.has(compression))
    return `its compression is ${COMPRESSIONS[compression] ?? `number ${compression}`}`;
  const { tileWidth, tileHeight } = image;
  const tiled = isTiled(image);
  if (tiled && (Math.min(tileWidth, tileHeight) < LEAST_TILE || tileWidth * tileHeight > MOST_TILE_PIXELS))
    return `its tiles are ${tileWidth} x ${tileHeight} pixels`;
  if (photometric === 5) return 'it is CMYK, which no scanner writes';
  if (planar === 2 && samples > 1) return 'its channels are stored in planes of their own';
  if (samples !== 1 && samples !== 3 && samples !== 4) return `it has ${samples} channels`;
  if (photometric !== RGB && photometric !== YCBCR && !(GREY.has(photometric) && samples === 1))
    return `its photometric interpretation is number ${photometric}`;
  return undefined;
}

/** Decodes the tiles of one image. */
export class TiffTiles {
  readonly image: TiffImage;
  readonly columns: number;
  readonly rows: number;
  readonly #file: TiffFile;
  #index: Promise<{ offsets: Float64Array; lengths: Float64Array; tables: Buffer | undefined }> | undefined;

  constructor(file: TiffFile, image: TiffImage) {
    this.#file = file;
    this.image = image;
    this.columns = Math.ceil(image.width / image.tileWidth);
    this.rows = Math.ceil(image.height / image.tileHeight);
  }

  /** RGB, tileWidth x tileHeight; undefined where the file has left the tile out. Rejects with STAINFOLD_SLIDE_READ. */
  async decode(column: number, row: number): Promise<Uint8Array | undefined> {
    const { offsets, lengths, tables } = await this.#places();
    const index = row * this.columns + column;
    const length = lengths[index] as number;
    if (length === 0) return undefined;
    const { compression, samples, width, height } = this.image;
    const name = `tile ${column}, ${row} of the ${width} x ${height} image`;
    const bytes = (): Promise<Buffer> => this.#file.read(offsets[index] as number, length, name);
    if (compression === JPEG && samples === 3) return this.#decodeJpeg(await bytes(), tables, name);
    const checked = compression === PLAIN || DEFLATE.has(compression);
    const plain = checked && (await this.#inflate(await bytes(), name));
    return plain && samples === 3 && this.image.predictor === 1
      ? plain
      : this.#decodeByPage(column, row, name);
  }

  /** Deflate has a checksum, which libtiff does not always ask for: damage would pass as pixels. */
  async #inflate(bytes: Buffer, name: string): Promise<Uint8Array> {
    const { compression, samples, tileWidth, tileHeight } = this.image;
    const size = tileWidth * tileHeight * samples;
    try {
      const plain = compression === PLAIN ? bytes : await inflated(bytes, { maxOutputLength: size + 1 });
      if (plain.length !== size) throw new Error(`it has ${plain.length} of ${size} bytes`);
      return plain;
    } catch (cause) {
      throw this.#unreadable(name, cause);
    }
  }

  async #decodeJpeg(bytes: Buffer, tables: Buffer | undefined, name: string): Promise<Uint8Array> {
    const { tileWidth, tileHeight } = this.image;
    try {
      const jpeg = abbreviatedJpeg(bytes, tables, this.image.photometric === RGB);
      const { data, info } = await sharp(jpeg, { failOn: 'error', ignoreIcc: true })
        .toColourspace('srgb')
        .raw()
        .toBuffer({ resolveWithObject: true });
      if (info.width !== tileWidth || info.height !== tileHeight || info.channels !== 3) {
        throw new Error(
          `it is ${info.width} x ${info.height} x ${info.channels}, not ${tileWidth} x ${tileHeight} x 3`,
        );
      }
      return data;
    } catch (cause) {
      throw this.#unreadable(name, cause);
    }
  }

  /** By libtiff, which opens the file anew: what any other compression, predictor or channel needs. */
  async #decodeByPage(column: number, row: number, name: string): Promise<Uint8Array> {
    const { place, width, height, tileWidth, tileHeight } = this.image;
    const left = column * tileWidth;
    const top = row * tileHeight;
    const wide = Math.min(tileWidth, width - left);
    const high = Math.min(tileHeight, height - top);
    try {
      const { data, info } = await sharp(this.#file.path, {
        page: place.page,
        tiff: { subifd: place.subifd },
        failOn: 'warning', // below it libvips gives black for a tile that it cannot decode
        limitInputPixels: false,
        ignoreIcc: true,
      })
        .extract({ left, top, width: wide, height: high })
        .flatten({ background: '#fff' })
        .extend({ right: tileWidth - wide, bottom: tileHeight - high, background: '#fff' })
        .toColourspace('srgb')
        .raw({ depth: 'uchar' })
        .toBuffer({ resolveWithObject: true });
      if (info.channels !== 3) throw new Error(`${info.channels} channels cannot be made RGB`);
      return data;
    } catch (cause) {
      throw this.#unreadable(name, cause);
    }
  }

  #unreadable(name: string, cause: unknown): StainfoldError {
    return new StainfoldError(
      'STAINFOLD_SLIDE_READ',
      `${this.#file.path}: ${name} cannot be decoded: ${reasonOf(cause)}`,
      { cause },
    );
  }

  /** A failure is kept: the tables do not get better. */
  #places(): Promise<{ offsets: Float64Array; lengths: Float64Array; tables: Buffer | undefined }> {
    this.#index ??= (async () => {
      const { directory } = this.image;
      const [offsets, lengths, tables] = await Promise.all([
        this.#file.numbers(directory, TAG.tileOffsets),
        this.#file.numbers(directory, TAG.tileByteCounts),
        this.#file.bytes(directory, TAG.jpegTables),
      ]);
      const tiles = this.columns * this.rows;
      if (offsets.length < tiles || lengths.length < tiles) {
        throw this.#file.damaged(
          `it names the places of ${Math.min(offsets.length, lengths.length)} of ${tiles} tiles`,
        );
      }
      return { offsets, lengths, tables };
    })();
    return this.#index;
  }
}
