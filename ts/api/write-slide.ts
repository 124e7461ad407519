import type { Readable } from 'node:stream';
import type { Sharp } from 'sharp';
import { reasonOf } from '../data/file-errors.js';
import { ownTile } from '../data/own-tile.js';
import { StainfoldError } from '../errors.js';
import { writeFailure, writeFileAtomic } from '../files/atomic.js';
import { sharp } from '../files/sharp.js';
import { validate } from '../internal/validate.js';
import { writeSlideSchema } from '../internal/validate-slide.js';
import type { RawTile, WriteSlideOptions } from '../types.js';

/**
 * Writes an image as a slide: a tiled TIFF with levels of half the size each, which openSlide, QuPath and OpenSlide read. Whole or
 * not at all; a file that is there is replaced.
 *
 * @example
 * await writeSlide('region.tif', await slide.readRegion({ x: 0, y: 0, width: 4096, height: 4096, mpp: 0.5 }), { mpp: 0.5 });
 *
 * @param image Decoded pixels, or the path of a picture.
 * @throws STAINFOLD_TILE_UNREADABLE where the picture cannot be decoded; STAINFOLD_SHAPE, STAINFOLD_DTYPE; STAINFOLD_FILE_WRITE;
 *   STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN.
 */
export async function writeSlide(
  path: string,
  image: RawTile | string,
  options: WriteSlideOptions,
): Promise<void> {
  const { mpp, tileSize, compression, quality, signal } = validate(writeSlideSchema, options);
  signal?.throwIfAborted();
  const source = sourceOf(ownTile(image));
  const perMillimetre = 1000 / mpp;
  const tiff = source.flatten({ background: '#fff' }).toColourspace('srgb').tiff({
    tile: true,
    pyramid: true,
    tileWidth: tileSize,
    tileHeight: tileSize,
    compression,
    quality,
    bigtiff: true,
    resolutionUnit: 'cm',
    xres: perMillimetre,
    yres: perMillimetre,
  });
  try {
    await writeFileAtomic(path, stopping(tiff, signal));
  } catch (cause) {
    signal?.throwIfAborted();
    const error = writeFailure(path, cause);
    if (error instanceof StainfoldError) throw error;
    const name = typeof image === 'string' ? image : 'the image';
    throw new StainfoldError('STAINFOLD_TILE_UNREADABLE', `${name}: ${reasonOf(cause)}`, { cause });
  }
}

function sourceOf(image: RawTile | string): Sharp {
  if (typeof image === 'string')
    return sharp(image, { failOn: 'error', limitInputPixels: false }).autoOrient();
  const { data, width, height, channels } = image;
  return sharp(data, { raw: { width, height, channels }, limitInputPixels: false });
}

async function* stopping(stream: Readable, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for await (const piece of stream) {
    signal?.throwIfAborted();
    yield piece;
  }
}
