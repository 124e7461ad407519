import { z } from 'zod';
import type { EmbedSlideOptions, EmbedSlidesOptions, SlideOptions, TilingOptions } from '../types.js';
import { callback, choice, flag, integer, must, runtime, text } from './schema.js';

/** Checked where it is used, by the reader. */
const options = <Options>() =>
  z.custom<Options>((value) => typeof value === 'object' && value !== null, must('an object'));

const stream = {
  chunkTiles: integer(1, 65_536).default(256),
  quality: flag().default(true),
  unreadable: choice('fail', 'skip').default('fail'),
  scores: flag().default(false),
  signal: runtime.signal,
};

export const embedSlideSchema = z.strictObject(
  {
    ...stream,
    slide: options<SlideOptions>().optional(),
    tiling: options<NonNullable<EmbedSlideOptions['tiling']>>().optional(),
    from: integer(0).default(0),
    onTiling: callback<NonNullable<EmbedSlideOptions['onTiling']>>().optional(),
    onProgress: callback<NonNullable<EmbedSlideOptions['onProgress']>>().optional(),
  },
  must('an object'),
);

export const findSlidesSchema = z.strictObject(
  { images: flag().default(false), signal: runtime.signal },
  must('an object'),
);

const paths = must('a path or a list of paths');

export const embedSlidesSchema = z.strictObject(
  {
    ...stream,
    slides: z.union(
      [z.string(paths).min(1, paths), z.array(z.string(paths).min(1, paths)).min(1, paths)],
      paths,
    ),
    images: flag().default(false),
    out: text('the path of a folder'),
    format: choice('h5', 'safetensors', 'parquet', 'npy', 'zarr').default('h5'),
    layout: choice('plain', 'trident', 'clam', 'stamp').default('plain'),
    precision: choice('fp32', 'fp16').optional(),
    encoder: z
      .string(must('a name without slashes'))
      .regex(/^[^/\\]+$/, must('a name without slashes'))
      .default('stainfold'),
    pooling: choice('mean', 'max', 'mean-max', 'mean-std').default('mean'),
    slide: options<NonNullable<EmbedSlidesOptions['slide']>>().default(() => ({})),
    tiling: options<Omit<TilingOptions, 'signal' | 'onProgress' | 'quality'>>().default(() => ({})),
    overwrite: flag().default(false),
    onProgress: callback<NonNullable<EmbedSlidesOptions['onProgress']>>().optional(),
    onSlide: callback<NonNullable<EmbedSlidesOptions['onSlide']>>().optional(),
  },
  must('an object'),
);
