import { z } from 'zod';
import type { PackOptions } from '../types.js';
import { callback, integer, must, runtime, selection } from './schema.js';

const packPath = 'a path that ends in .pack';

export const packSchema = z.strictObject(
  {
    ...selection,
    out: z.string(must(packPath)).regex(/[^/\\]\.pack$/i, must(packPath)),
    tileSize: integer(1, 16_384).optional(),
    signal: runtime.signal,
    onProgress: callback<NonNullable<PackOptions['onProgress']>>().optional(),
  },
  must('an object'),
);
