/** A picture without tiles, decoded whole when first read: small slides, exports, photographs. */
import type { Metadata } from 'sharp';
import { readError, reasonOf } from '../data/file-errors.js';
import { StainfoldError } from '../errors.js';
import { loadSharp, sharp } from '../files/sharp.js';
import type { NativeSlideGeometry, NativeSlides } from '../internal/native-slide.js';
import type { SlideLevel } from '../types.js';
import { type Backend, plausibleMpp } from './backend.js';

/** 384 MiB as RGB. */
const MOST_PIXELS = 2 ** 27;

/** Throws STAINFOLD_SLIDE_FORMAT where sharp cannot read the file, or it is too large to be held whole; STAINFOLD_FILE_NOT_FOUND. */
export async function openImage(path: string, native: NativeSlides): Promise<Backend> {
  loadSharp(); // here, as its failure is not the file's
  let about: Metadata;
  try {
    about = await sharp(path, { limitInputPixels: false }).metadata();
  } catch (cause) {
    const error = readError(path, cause);
    if (error.code === 'STAINFOLD_FILE_NOT_FOUND') throw error;
    throw new StainfoldError('STAINFOLD_SLIDE_FORMAT', `${path} cannot be read: ${reasonOf(cause)}`, {
      cause,
    });
  }
  const { width, height } = about.autoOrient;
  if (width * height > MOST_PIXELS) {
    const detail = `${path} has ${width} x ${height} pixels and no tiles; up to ${MOST_PIXELS} pixels are held whole`;
    throw new StainfoldError('STAINFOLD_SLIDE_FORMAT', detail, {
      hint: "Make it a tiled pyramid: 'vips tiffsave IN OUT.tif --tile --pyramid --compression jpeg --bigtiff'.",
    });
  }
  if (about.depth !== 'uchar' || about.space === 'cmyk') {
    const what = about.space === 'cmyk' ? 'CMYK' : `of ${about.bitsPerSample ?? about.depth} bits a sample`;
    throw new StainfoldError('STAINFOLD_SLIDE_FORMAT', `${path} is ${what}; slides are read as 8-bit RGB`);
  }
  return new ImageBackend(path, native, { width, height }, about);
}

class ImageBackend implements Backend {
  readonly kind = 'image';
  readonly vendor = 'image';
  readonly levels: readonly SlideLevel[];
  readonly mpp: number | null;
  readonly objectivePower = null;
  readonly associated: readonly string[] = [];
  /** Applied by the decoder already. */
  readonly icc = undefined;
  readonly #path: string;
  readonly #strict: boolean;
  readonly #native: NativeSlides;
  #pixels: Promise<Uint8Array> | undefined;

  constructor(path: string, native: NativeSlides, size: { width: number; height: number }, about: Metadata) {
    this.#path = path;
    this.#strict = about.format === 'tiff';
    this.#native = native;
    this.levels = [{ ...size, downsample: 1 }];
    // Dots per inch, which only TIFF says on purpose: what cameras and editors write is no microscope's.
    this.mpp = about.format === 'tiff' && about.density ? plausibleMpp(25_400 / about.density) : null;
  }

  async render(_level: number, geometry: NativeSlideGeometry): Promise<Uint8Array> {
    const { width, height } = this.levels[0] as SlideLevel;
    this.#pixels ??= this.#decode(width, height);
    const pixels = await this.#pixels;
    return this.#native.renderRegion([{ pixels, x: 0, y: 0, width, height }], width, height, geometry);
  }

  async close(): Promise<void> {
    await this.#pixels?.catch(() => undefined);
    this.#pixels = undefined;
  }

  async #decode(width: number, height: number): Promise<Uint8Array> {
    // libvips gives black for what it cannot decode of a TIFF, unless warnings count.
    const failOn = this.#strict ? 'warning' : 'error';
    try {
      const { data, info } = await sharp(this.#path, { failOn, limitInputPixels: MOST_PIXELS })
        .autoOrient()
        .flatten({ background: '#fff' })
        .toColourspace('srgb')
        .raw({ depth: 'uchar' })
        .toBuffer({ resolveWithObject: true });
      if (info.width !== width || info.height !== height || info.channels !== 3) {
        throw new Error(
          `it decodes to ${info.width} x ${info.height} x ${info.channels}, not ${width} x ${height} x 3`,
        );
      }
      return data;
    } catch (cause) {
      const detail = `${this.#path} cannot be decoded: ${reasonOf(cause)}`;
      throw new StainfoldError('STAINFOLD_SLIDE_READ', detail, { cause });
    }
  }
}
