import { z } from 'zod';
import { callback, column, integer, must, runtime, selection, text, tileSize } from './schema.js';
import { manifoldSchema } from './validate-manifold.js';

export const auditSchema = z.strictObject(
  {
    ...selection,
    ...runtime,
    againstColumn: column(),
    againstTiles: text('the path of a folder or CSV manifest').optional(),
    slideColumn: column(),
    limit: integer(2, 1_000_000).default(400),
    tileSize: tileSize().optional(),
    manifold: manifoldSchema,
    seed: integer(0).default(1),
    onProgress: callback<(done: number, total: number) => void>().optional(),
  },
  must('an object'),
);
