import type { Sharp } from 'sharp';
import { reasonOf } from '../data/file-errors.js';
import { ownTile } from '../data/own-tile.js';
import { StainfoldError } from '../errors.js';
import { replaceFile } from '../files/atomic.js';
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
    // libvips writes by path as it goes: memory holds rows of tiles, and the coarser levels until their turn comes.
    await replaceFile(path, async (_, beside) => {
      await tiff.toFile(beside);
      signal?.throwIfAborted();
    });
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof StainfoldError) throw cause;
    const unwritten = writeError(path, cause);
    if (unwritten) throw unwritten;
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

/** libvips gives the system's words, no code. */
function writeError(path: string, cause: unknown): StainfoldError | undefined {
  const reason = /No space left on device|Disk quota exceeded|File too large/.exec(
    cause instanceof Error ? cause.message : '',
  );
  if (reason === null) return undefined;
  return new StainfoldError('STAINFOLD_FILE_WRITE', `Cannot write ${path}: ${reason[0]}`, { cause });
}
