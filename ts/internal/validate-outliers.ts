import { z } from 'zod';
import { callback, integer, must, real, runtime, selection, text } from './schema.js';

export const scoreSchema = z.strictObject(
  {
    level: real(0, 1).default(0.01),
    signal: runtime.signal,
    onProgress: callback<(done: number) => void>().optional(),
    onUnreadable: callback<(index: number, reason: string) => void>().optional(),
  },
  must('an object'),
);

export const fitOutliersSchema = z.strictObject(
  {
    ...selection,
    ...runtime,
    model: text('the path of a model'),
    limit: integer(20, 1_000_000).default(400),
    strength: real(0, 4).optional(),
    batchSize: integer(1, 4096).default(32),
    onProgress: callback<(done: number, total: number) => void>().optional(),
  },
  must('an object'),
);
