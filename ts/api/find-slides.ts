/** Which files are slides: told by their extensions, TIFFs by what they hold. */
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { TILE_EXTENSIONS } from '../data/decode.js';
import { readError } from '../data/file-errors.js';
import { StainfoldError } from '../errors.js';
import { sharp } from '../files/sharp.js';
import { validate } from '../internal/validate.js';
import { findSlidesSchema } from '../internal/validate-slide-features.js';
import type { FindSlidesOptions, FoundSlides } from '../types.js';

/** Of scanners: nothing else is called so. */
const SLIDE = /\.(svs|ndpi|mrxs|scn|vms|vmu|bif|svslide|czi|qptiff|btf|ome\.tiff?)$/i;
const TIFF = /\.tiff?$/i;
/** One slide may be many files: it is given by one of them, by name. */
const PART = /\.dcm$/i;
/** Pixels of a side that no tile has. */
const LARGE = 4096;

/**
 * The slides among files and in folders (searched recursively), by name; and how many other images lie beside them. A file that is
 * given itself is taken for a slide whatever its kind.
 *
 * @example
 * const { slides, images } = await findSlides('slides');
 * console.log(slides.length, images); // 12 0
 *
 * @throws STAINFOLD_FILE_NOT_FOUND, STAINFOLD_FILE_READ; STAINFOLD_OPTION where two slides have one name: their features would, too.
 */
export async function findSlides(
  paths: string | readonly string[],
  options: FindSlidesOptions = {},
): Promise<FoundSlides> {
  const { images, signal } = validate(findSlidesSchema, options);
  const found: FoundSlides = { slides: [], images: 0 };
  for (const path of typeof paths === 'string' ? [paths] : paths) {
    const entry = await stat(path).catch((cause: unknown) => {
      throw readError(path, cause);
    });
    const here = entry.isDirectory() ? await search(path, images, signal) : { slides: [path], images: 0 };
    for (const slide of here.slides) found.slides.push({ name: slideName(slide), path: resolve(slide) });
    found.images += here.images;
  }
  return { ...found, slides: unique(found.slides) };
}

async function search(
  folder: string,
  all: boolean,
  signal: AbortSignal | undefined,
): Promise<{ slides: string[]; images: number }> {
  const names = await readdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw readError(folder, cause);
  });
  const [slides, damaged]: [string[], string[]] = [[], []];
  let images = 0;
  for (const name of names.filter((name) => !/(^|[\\/])\./.test(name)).sort()) {
    signal?.throwIfAborted();
    const image = TILE_EXTENSIONS.has(extname(name).toLowerCase());
    const path = join(folder, name);
    const large = !SLIDE.test(name) && !all && TIFF.test(name) ? await isPyramid(path) : undefined;
    if (SLIDE.test(name) || (image && all) || large === true) slides.push(path);
    else if (large === null) damaged.push(path);
    else if (image || PART.test(name)) images++;
  }
  // Among slides a TIFF that nothing can be told of is one, and what is wrong with it will be; among tiles it is a tile.
  return slides.length === 0
    ? { slides, images: images + damaged.length }
    : { slides: [...slides, ...damaged].sort(), images };
}

function unique(slides: FoundSlides['slides']): FoundSlides['slides'] {
  const byName = new Map<string, string>();
  for (const { name, path } of slides) {
    const other = byName.get(name);
    byName.set(name, path);
    if (other === undefined || other === path) continue;
    throw new StainfoldError('STAINFOLD_OPTION', `Two slides have the name '${name}': ${other} and ${path}`, {
      hint: 'Features are stored by name: rename one, or embed them into two folders.',
    });
  }
  return [...byName].map(([name, path]) => ({ name, path }));
}

/** As the reader names them. */
const slideName = (path: string): string => basename(path, extname(path));

/** Several resolutions, or more pixels than a tile has. Null where the file cannot be read. */
async function isPyramid(path: string): Promise<boolean | null> {
  try {
    const { pages = 1, subifds = 0, width, height } = await sharp(path).metadata();
    return pages > 1 || subifds > 0 || Math.max(width, height) >= LARGE;
  } catch {
    return null;
  }
}
