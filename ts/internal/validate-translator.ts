/** Options of translators; defaults are documented in ts/types/translator.ts. */
import { z } from 'zod';
import type { TranslatorProgress } from '../types/translator.js';
import { callback, choice, flag, integer, must, positive, real, runtime, text, tileSize } from './schema.js';

const side = () => {
  const range = 'a multiple of 4 from 8 to 4096';
  return z.int(must(range)).min(8, must(range)).max(4096, must(range)).multipleOf(4, must(range));
};

export const trainTranslatorSchema = z.strictObject(
  {
    ...runtime,
    out: text('the path of a folder'),
    variant: choice('cyclegan', 'staingan').default('cyclegan'),
    tileSize: tileSize(),
    epochs: integer(1, 1_000_000).default(200),
    batchSize: integer(2, 4096).default(4),
    width: integer(1, 512).default(64),
    blocks: integer(1, 64).optional(),
    judgeWidth: integer(1, 512).optional(),
    judgeLayers: integer(1, 8).default(3),
    learningRate: positive().default(2e-4),
    constant: real(0, 1).default(0.5),
    cycle: real(0).default(10),
    identity: real(0).optional(),
    geometry: flag().default(true),
    seed: integer(0).default(1),
    strict: flag().default(false),
    checkpointEvery: integer(1).optional(),
    resume: flag().default(false),
    cacheBytes: integer(0).default(256 * 2 ** 20),
    onProgress: callback<(progress: TranslatorProgress) => void>().optional(),
  },
  must('an object'),
);

export const translateSchema = z.strictObject(
  {
    ...runtime,
    to: choice('source', 'target').default('source'),
    tileSize: side().optional(),
    batchSize: integer(1, 4096).default(16),
    onProgress: callback<(done: number) => void>().optional(),
    onUnreadable: callback<(index: number, reason: string) => void>().optional(),
  },
  must('an object'),
);
