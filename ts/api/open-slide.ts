import { resolve } from 'node:path';
import { loadNative } from '../internal/load.js';
import type { NativeAddon } from '../internal/native.js';
import { validate } from '../internal/validate.js';
import { slideSchema } from '../internal/validate-slide.js';
import { mppFromFile } from '../slides/mpp-file.js';
import { openBackend } from '../slides/open.js';
import { OpenedSlide } from '../slides/slide.js';
import type { Slide, SlideOptions } from '../types.js';

/**
 * Opens a whole slide: tiled TIFF, OME-TIFF and SVS by our own reader, what OpenSlide knows where the machine has that library,
 * and any picture.
 *
 * @example
 * await using slide = await openSlide('slide.svs');
 * const { data } = await slide.readRegion({ x: 1000, y: 2000, width: 224, height: 224, mpp: 0.5 });
 *
 * @throws STAINFOLD_FILE_NOT_FOUND, STAINFOLD_FILE_READ; STAINFOLD_SLIDE_FORMAT where nothing here reads it;
 *   STAINFOLD_OPENSLIDE_MISSING where OpenSlide might; STAINFOLD_SLIDE_READ where it is damaged; STAINFOLD_MANIFEST (mppFile);
 *   STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN; and what loading the core throws.
 */
export async function openSlide(path: string, options: SlideOptions = {}): Promise<Slide> {
  return openSlideWith(() => loadNative({ libtorch: options.libtorch }), path, options);
}

export async function openSlideWith(
  load: () => Promise<Pick<NativeAddon, 'slide'>>,
  path: string,
  options: SlideOptions = {},
): Promise<Slide> {
  const { mpp, mppFile, backend, icc, cacheBytes, signal } = validate(slideSchema, options);
  signal?.throwIfAborted();
  const full = resolve(path);
  const listed = mpp === undefined && mppFile !== undefined ? await mppFromFile(mppFile, full) : undefined;
  const native = await load();
  const opened = await openBackend(full, native.slide, backend, cacheBytes);
  if (signal?.aborted) {
    await opened.close();
    signal.throwIfAborted();
  }
  const told =
    mpp !== undefined
      ? ({ value: mpp, source: 'option' } as const)
      : listed !== undefined
        ? ({ value: listed, source: 'csv' } as const)
        : undefined;
  return new OpenedSlide(full, opened, { mpp: told, icc });
}
