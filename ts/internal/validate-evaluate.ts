/** The options of evaluate. */
import { z } from 'zod';
import type { EvaluateOptions } from '../types.js';
import { callback, choice, column, integer, must, runtime, selection, text } from './schema.js';

const path = text('the path of a file');

export const evaluateSchema = z.strictObject(
  {
    ...selection,
    ...runtime,
    model: text('the path of a model').optional(),
    embeddings: z
      .union([path, z.array(path).min(1)], must('the path of a file, or a list of them'))
      .transform((given) => (typeof given === 'string' ? [given] : given))
      .optional(),
    batchColumn: text('the name of a manifest column'),
    labelColumn: column(),
    groupColumn: column(),
    pairColumn: column(),
    source: text('a value of the batch column').optional(),
    baselines: z
      .array(choice('colour', 'untrained'), must("a list of 'colour' and 'untrained'"))
      .default(['colour', 'untrained']),
    k: integer(1, 10_000).default(15),
    resamples: integer(100, 100_000).default(1000),
    permutations: integer(0, 100_000).default(199),
    seed: integer(0).default(1),
    batchSize: integer(1, 4096).default(32),
    onProgress: callback<NonNullable<EvaluateOptions['onProgress']>>().optional(),
  },
  must('an object'),
);
