import { dirname, join } from 'node:path';
import { StainfoldError } from '../errors.js';
import { type FolderLock, lockFolder } from '../files/lock.js';
import { validate } from '../internal/validate.js';
import { embedSlidesSchema } from '../internal/validate-slide-features.js';
import { precisionOf } from '../stores/layouts.js';
import { stateFolder } from '../stores/marks.js';
import { placesOf } from '../stores/places.js';
import type { EmbeddedSlides, EmbedSlidesOptions, Encoder, SlideOutcome, SlideProgress } from '../types.js';
import { embedSlideFiles, placing, type SlideJob } from './embed-slide-files.js';
import { findSlides } from './find-slides.js';
import { modelDigest } from './model-file.js';
import type { SlideReader } from './slide-embed.js';
import { slideReader } from './slide-reader.js';
import { writeSlideTables } from './slide-vectors.js';

/**
 * Embeds slides into files of features, one slide after the other: read, decoded, embedded and written at once, in bounded memory.
 * What is complete is passed over, what was interrupted goes on at its last chunk, a slide that fails leaves the others alone.
 * Processes may share `out`: each takes the next slide that nobody works on.
 *
 * @example
 * const { slides } = await embedSlides(encoder, { slides: 'slides', out: 'features', layout: 'trident' });
 * console.log(slides.filter(({ state }) => state === 'failed'));
 *
 * @throws STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN, STAINFOLD_FILE_NOT_FOUND; STAINFOLD_TILES_EMPTY where there is no slide;
 *   STAINFOLD_FILE_WRITE where the folder cannot be written. What goes wrong with a slide is in its outcome.
 */
export async function embedSlides(encoder: Encoder, options: EmbedSlidesOptions): Promise<EmbeddedSlides> {
  return embedSlidesWith(slideReader, encoder, options);
}

export async function embedSlidesWith(
  reader: SlideReader,
  encoder: Encoder,
  options: EmbedSlidesOptions,
): Promise<EmbeddedSlides> {
  const settings = validate(embedSlidesSchema, options);
  const { slides, images, out, layout, format, precision, signal } = settings;
  precisionOf(layout, precision);
  if (format !== 'h5' && layout !== 'plain') {
    throw new StainfoldError(
      'STAINFOLD_OPTION',
      `Layout ${layout} is one of HDF5 files, got format ${format}`,
    );
  }
  signal?.throwIfAborted();
  const begun = performance.now();
  const found = (await findSlides(slides, { images, ...(signal && { signal }) })).slides;
  if (found.length === 0) {
    throw new StainfoldError('STAINFOLD_TILES_EMPTY', `There is no slide in ${[slides].flat().join(', ')}`, {
      hint: 'Give slides, or folders of them: docs/slides.md lists the formats.',
    });
  }
  const digest = modelDigest(encoder);
  const home = dirname(join(out, placesOf('', placing(encoder, settings, digest)).features));
  const outcomes = new Map<string, SlideOutcome>();
  const report = (name: string, progress: SlideProgress | undefined): void =>
    settings.onProgress?.({ slide: outcomes.size, slides: found.length, name, progress });

  const work = async (slide: { name: string; path: string }): Promise<SlideOutcome | undefined> => {
    signal?.throwIfAborted();
    using lock = await lockSlide(home, slide.name);
    if (lock === undefined) return undefined;
    report(slide.name, undefined);
    const onProgress = (progress: SlideProgress | undefined): void => report(slide.name, progress);
    return await outcomeOf({ reader, encoder, settings, digest, home, onProgress }, slide);
  };
  const settle = (outcome: SlideOutcome): void => {
    outcomes.set(outcome.slide, outcome);
    settings.onSlide?.(outcome);
  };
  const busy: typeof found = [];
  for (const slide of found) {
    const outcome = await work(slide);
    if (outcome === undefined) busy.push(slide);
    else settle(outcome);
  }
  // Whoever held them has had time to finish them, or to die.
  for (const slide of busy) settle((await work(slide)) ?? { ...nothing(slide), state: 'busy' });

  const files = await writeSlideTables(home, settings.pooling, signal);
  const ordered = found.map(({ name }) => outcomes.get(name) as SlideOutcome);
  return { slides: ordered, files, seconds: (performance.now() - begun) / 1000 };
}

async function outcomeOf(job: SlideJob, slide: { name: string; path: string }): Promise<SlideOutcome> {
  const begun = performance.now();
  const seconds = (): number => (performance.now() - begun) / 1000;
  try {
    const result = await embedSlideFiles(job, slide);
    return { ...nothing(slide), ...result, seconds: seconds() };
  } catch (error) {
    job.settings.signal?.throwIfAborted();
    if (error instanceof StainfoldError && error.code === 'STAINFOLD_DISPOSED') throw error;
    return { ...nothing(slide), state: 'failed', seconds: seconds(), error: described(error) };
  }
}

const nothing = ({ name, path }: { name: string; path: string }): Omit<SlideOutcome, 'state'> => ({
  slide: name,
  path,
  files: [],
  tiles: 0,
  rejected: {},
  resumed: 0,
  seconds: 0,
  tilesPerSecond: 0,
  bottleneck: undefined,
  error: undefined,
});

function described(error: unknown): NonNullable<SlideOutcome['error']> {
  const known =
    error instanceof StainfoldError
      ? error
      : new StainfoldError('STAINFOLD_INTERNAL', error instanceof Error ? error.message : String(error));
  const { code, hint, message } = known;
  return { code, hint, message: message.slice(0, -hint.length).trim() };
}

/** Undefined while another process works on it. */
async function lockSlide(home: string, name: string): Promise<FolderLock | undefined> {
  try {
    return await lockFolder(stateFolder(home), `${name}.lock`);
  } catch (error) {
    if (error instanceof StainfoldError && error.code === 'STAINFOLD_LOCKED') return undefined;
    throw error;
  }
}
