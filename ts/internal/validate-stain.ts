/** Options of stain separation and normalisation, and the file that a normaliser is kept in. */
import { z } from 'zod';
import type {
  NormalizeOptions,
  NormalizeSlideOptions,
  NormalizeTilesOptions,
  SeparateTilesOptions,
  SlideOptions,
  StainFitOptions,
} from '../types.js';
import { callback, choice, flag, integer, must, real, runtime, selection, text } from './schema.js';

const { device, threads, libtorch, signal } = runtime;
const place = { device, threads, libtorch, signal };
const stains = choice('he', 'hed', 'hdab', 'hrd', 'haec', 'hpas', 'gdab', 'giemsa', 'alcian').default('he');
const onUnreadable = callback<(index: number, reason: string) => void>().optional();
const method = choice('macenko', 'vahadane', 'ruifrok', 'reinhard', 'histogram').default('macenko');
const separating = choice('macenko', 'vahadane', 'ruifrok').default('macenko');
const clamp = real(1, 100).default(3);
const pixels = choice('tissue', 'all').optional();

/** What one method has must not be asked of another, which would ignore it. */
const stainsOfRuifrok = [
  ({ method, stains }: { method: string; stains: string }) => method === 'ruifrok' || stains === 'he',
  { path: ['stains'] as PropertyKey[], error: "'he' unless method is 'ruifrok'" },
] as const;

export const stainFitSchema = z
  .strictObject(
    {
      ...place,
      method,
      stains,
      clamp,
      pixels,
      onProgress: callback<NonNullable<StainFitOptions['onProgress']>>().optional(),
      onUnreadable,
    },
    must('an object'),
  )
  .refine(...stainsOfRuifrok)
  .refine(
    (options) =>
      options.pixels === undefined || options.method === 'reinhard' || options.method === 'histogram',
    { path: ['pixels'], error: "left out unless method is 'reinhard' or 'histogram'" },
  );

export const stainPlaceSchema = z.strictObject({ ...place, clamp: clamp.optional() }, must('an object'));

export const publishedSchema = z.strictObject(
  { ...place, clamp: clamp.optional(), method: choice('macenko', 'vahadane').optional() },
  must('an object'),
);

export const normalizeSlideSchema = z.strictObject(
  {
    slide: text('the path of a slide'),
    out: text('the path of a .tif or .tiff file').regex(/\.tiff?$/i, 'must end in .tif or .tiff'),
    compression: choice('jpeg', 'deflate').default('jpeg'),
    quality: integer(1, 100).default(90),
    open: z
      .custom<SlideOptions>((value) => typeof value === 'object', must('options of openSlide'))
      .default({}),
    signal,
    onProgress: callback<NonNullable<NormalizeSlideOptions['onProgress']>>().optional(),
  },
  must('an object'),
);

export const normalizeSchema = z.strictObject(
  {
    signal,
    groups: z
      .custom<readonly string[]>(
        (value) => Array.isArray(value) && value.every((name) => typeof name === 'string'),
        must('a list of strings'),
      )
      .optional(),
    onFitProgress: callback<NonNullable<NormalizeOptions['onFitProgress']>>().optional(),
    onUnreadable,
  },
  must('an object'),
);

export const separateSchema = z
  .strictObject(
    { ...place, method: separating, stains, images: flag().default(false), onUnreadable },
    must('an object'),
  )
  .refine(...stainsOfRuifrok);

export const normalizeTilesSchema = z.strictObject(
  {
    ...selection,
    signal,
    out: text('the path of a folder'),
    per: choice('tile', 'slide', 'set').default('tile'),
    slideColumn: text('the name of a manifest column').default('slide'),
    format: choice('png', 'webp', 'tiff').default('png'),
    onProgress: callback<NonNullable<NormalizeTilesOptions['onProgress']>>().optional(),
  },
  must('an object'),
);

export const separateTilesSchema = z
  .strictObject(
    {
      ...selection,
      ...place,
      out: text('the path of a folder'),
      method: separating,
      stains,
      onProgress: callback<NonNullable<SeparateTilesOptions['onProgress']>>().optional(),
    },
    must('an object'),
  )
  .refine(...stainsOfRuifrok);

const finite = z.number();
const row = (length: number) => z.array(finite).length(length);
const share = z.array(finite.min(0).max(1)).length(256);
const decomposition = (columns: number) =>
  z.strictObject({ matrix: z.array(row(columns)).length(3), peaks: z.array(finite.gt(0)).length(columns) });

/** The content of a normaliser's file. */
export const stainFileSchema = z.object({
  format: z.literal('stainfold-stain'),
  formatVersion: z.literal(1),
  method: z.enum(['macenko', 'vahadane', 'ruifrok', 'reinhard', 'histogram']),
  stains,
  clamp,
  /** Files of before there was a choice hold the published form. */
  pixels: z.enum(['tissue', 'all']).default('all'),
  tiles: z.int().min(0),
  reference: z.union([
    decomposition(2),
    decomposition(3),
    z.strictObject({ mean: row(3), deviation: z.array(finite.min(0)).length(3) }),
    z.strictObject({ red: share, green: share, blue: share }),
  ]),
});
export type StainFile = z.output<typeof stainFileSchema>;
export type StainFileInput = z.input<typeof stainFileSchema>;
