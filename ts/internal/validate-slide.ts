/** The options of whole slides. */
import { z } from 'zod';
import type { RegionsGeoJson } from '../types.js';
import { callback, choice, flag, integer, must, real, runtime, text } from './schema.js';

export const slideSchema = z.strictObject(
  {
    mpp: real(0.01, 100).optional(),
    mppFile: text('the path of a CSV file').optional(),
    backend: choice('auto', 'tiff', 'openslide', 'image').default('auto'),
    icc: flag().default(false),
    cacheBytes: integer(0).default(128 * 2 ** 20),
    libtorch: runtime.libtorch,
    signal: runtime.signal,
  },
  must('an object'),
);

const fileTile = 'a multiple of 16 from 64 to 4096';

export const writeSlideSchema = z.strictObject(
  {
    mpp: real(0.01, 100),
    tileSize: z
      .int(must(fileTile))
      .min(64, must(fileTile))
      .max(4096, must(fileTile))
      .multipleOf(16, must(fileTile))
      .default(256),
    compression: choice('jpeg', 'deflate').default('jpeg'),
    quality: integer(1, 100).default(90),
    signal: runtime.signal,
  },
  must('an object'),
);

export const tilingSchema = z.strictObject(
  {
    tileSize: integer(8, 8192).default(224),
    mpp: real(0.01, 100).default(0.5),
    overlap: integer(0, 8191).default(0),
    minTissue: real(0, 1).default(0.5),
    regions: z
      .union(
        [
          text('a path or GeoJSON'),
          z.custom<RegionsGeoJson>((value) => typeof value === 'object' && value !== null),
        ],
        must('the path of a GeoJSON file, or GeoJSON'),
      )
      .optional(),
    quality: flag().default(true),
    limit: integer(1).optional(),
    sample: integer(1).optional(),
    seed: integer(0).default(1),
    signal: runtime.signal,
    onProgress: callback<(done: number, total: number) => void>().optional(),
  },
  must('an object'),
);

export const slideTilesSchema = z.strictObject(
  {
    quality: flag().default(true),
    rejected: flag().default(false),
    from: integer(0).default(0),
    ahead: integer(1, 256).optional(),
    signal: runtime.signal,
    onUnreadable: callback<(index: number, reason: string) => void>().optional(),
  },
  must('an object'),
);
