/** Tiled TIFF, read by ourselves: pyramids in the main chain or in sub-directories (OME-TIFF), SVS with JPEG. */
import { StainfoldError } from '../errors.js';
import type { NativeSlideGeometry, NativeSlidePiece, NativeSlides } from '../internal/native-slide.js';
import type { SlideLevel } from '../types.js';
import { type Backend, downsampleOf } from './backend.js';
import { DecodedTiles } from './decoded-tiles.js';
import { TAG, TiffFile } from './tiff-file.js';
import { isTiled, obstacle, readTiffImage, type TiffImage, TiffTiles } from './tiff-image.js';
import { foreignFormat, isOme, type Microscope, microscope, omeChannels } from './tiff-metadata.js';
import { windowOf } from './window.js';

/** Why our reader leaves a TIFF to another, as the end of a sentence. */
export interface Refusal {
  reason: string;
  /** It is one image in strips, which sharp decodes whole. */
  strips: boolean;
}

export type OpenedTiff = { backend: Backend } | { refusal: Refusal };

/** Throws STAINFOLD_SLIDE_READ where the file is damaged, STAINFOLD_FILE_NOT_FOUND, STAINFOLD_FILE_READ. */
export async function openTiff(path: string, native: NativeSlides, cacheBytes: number): Promise<OpenedTiff> {
  const file = await TiffFile.open(path);
  try {
    const images: TiffImage[] = [];
    for (const [page, directory] of file.directories.entries()) {
      images.push(await readTiffImage(file, directory, { page, subifd: -1 }));
    }
    const first = images[0] as TiffImage;
    const refusal = await refuse(file, first);
    if (refusal) {
      await file.close();
      return { refusal };
    }
    const below: TiffImage[] = [];
    for (const [subifd, directory] of (await file.subDirectories(first.directory)).entries()) {
      below.push(await readTiffImage(file, directory, { page: 0, subifd }));
    }
    const levels = pyramid(first, [...below, ...images.slice(1)]);
    const associated = images.filter((image) => !levels.includes(image)).map(associatedName);
    return {
      backend: new TiffBackend(file, native, cacheBytes, {
        levels,
        associated,
        about: await microscope(file, first),
        icc: await file.bytes(first.directory, TAG.iccProfile),
      }),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function refuse(file: TiffFile, first: TiffImage): Promise<Refusal | undefined> {
  const foreign = await foreignFormat(file, first);
  if (foreign) return { reason: `it is a ${foreign}`, strips: false };
  const reason = obstacle(first);
  if (reason) return { reason, strips: false };
  if (isOme(first.description) && first.samples === 1 && omeChannels(first.description) > 1) {
    return { reason: 'its channels are images of their own, as in fluorescence', strips: false };
  }
  return isTiled(first) ? undefined : { reason: 'it is not tiled', strips: true };
}

/** The first image, and those that show the same in fewer pixels. */
function pyramid(first: TiffImage, others: readonly TiffImage[]): TiffImage[] {
  const levels = [first];
  const candidates = others
    .filter((image) => isTiled(image) && obstacle(image) === undefined && image.samples === first.samples)
    .sort((a, b) => b.width - a.width);
  for (const image of candidates) {
    const above = levels.at(-1) as TiffImage;
    if (image.width < above.width && image.height < above.height && showsSame(first, image))
      levels.push(image);
  }
  return levels;
}

/** A level's sizes are the first's over one number, but for the pixel that cutting takes from either. */
function showsSame(first: TiffImage, image: TiffImage): boolean {
  const factor = downsampleOf(first, image);
  return (
    Math.abs(first.width / factor - image.width) <= 1.5 &&
    Math.abs(first.height / factor - image.height) <= 1.5
  );
}

/** Aperio writes the name into the second line of the description, and says by the subfile type what it is. */
function associatedName({ description, subfileType, place }: TiffImage): string {
  const named = description.match(/^Aperio[^\n]*\n\s*(label|macro)\b/i)?.[1]?.toLowerCase();
  if (named) return named;
  if (subfileType === 1) return 'label';
  if (subfileType === 9) return 'macro';
  return place.page === 1 ? 'thumbnail' : `page ${place.page}`;
}

interface Parts {
  levels: TiffImage[];
  associated: string[];
  about: Microscope;
  icc: Uint8Array | undefined;
}

class TiffBackend implements Backend {
  readonly kind = 'tiff';
  readonly vendor: string;
  readonly levels: readonly SlideLevel[];
  readonly mpp: number | null;
  readonly objectivePower: number | null;
  readonly associated: readonly string[];
  readonly icc: Uint8Array | undefined;
  readonly #file: TiffFile;
  readonly #native: NativeSlides;
  readonly #tiles: readonly TiffTiles[];
  readonly #decoded: DecodedTiles;

  constructor(file: TiffFile, native: NativeSlides, cacheBytes: number, parts: Parts) {
    const { levels, associated, about, icc } = parts;
    const first = levels[0] as TiffImage;
    this.vendor = about.vendor;
    this.mpp = about.mpp;
    this.objectivePower = about.objectivePower;
    this.associated = associated;
    this.icc = icc;
    this.levels = levels.map(({ width, height }) => ({
      width,
      height,
      downsample: downsampleOf(first, { width, height }),
    }));
    this.#file = file;
    this.#native = native;
    this.#tiles = levels.map((image) => new TiffTiles(file, image));
    this.#decoded = new DecodedTiles(cacheBytes);
  }

  async render(level: number, geometry: NativeSlideGeometry): Promise<Uint8Array> {
    const tiles = this.#tiles[level];
    if (tiles === undefined) throw new StainfoldError('STAINFOLD_INTERNAL', `there is no level ${level}`);
    const { width, height } = tiles.image;
    const pieces = await this.#pieces(level, tiles, geometry);
    return this.#native.renderRegion(pieces, width, height, geometry);
  }

  async close(): Promise<void> {
    this.#decoded.clear();
    await this.#file.close();
  }

  async #pieces(level: number, tiles: TiffTiles, geometry: NativeSlideGeometry): Promise<NativeSlidePiece[]> {
    const { width, height, tileWidth, tileHeight } = tiles.image;
    const window = windowOf(geometry, width, height);
    const wanted: Promise<NativeSlidePiece | undefined>[] = [];
    for (let row = Math.floor(window.top / tileHeight); row * tileHeight < window.bottom; row++) {
      for (let column = Math.floor(window.left / tileWidth); column * tileWidth < window.right; column++) {
        const tile = this.#decoded.get(`${level}:${column}:${row}`, tileWidth * tileHeight * 3, () =>
          tiles.decode(column, row),
        );
        const place = { x: column * tileWidth, y: row * tileHeight, width: tileWidth, height: tileHeight };
        wanted.push(tile.then((pixels) => pixels && { pixels, ...place }));
      }
    }
    // All are waited for, whatever fails: the file may be closed afterwards.
    const settled = await Promise.allSettled(wanted);
    return settled.flatMap((result) => {
      if (result.status === 'rejected') throw result.reason;
      return result.value ?? [];
    });
  }
}
