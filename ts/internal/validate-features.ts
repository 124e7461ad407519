import { z } from 'zod';
import { choice, integer, must, positive, runtime, text } from './schema.js';

const geometry = z.strictObject(
  {
    slide: text('the name of a slide'),
    width: integer(1),
    height: integer(1),
    mpp: positive(),
    tileSize: integer(1),
    tileMpp: positive(),
    overlap: integer(0).default(0),
  },
  must('an object'),
);

export const writeFeaturesSchema = z.strictObject(
  {
    format: choice('h5', 'safetensors', 'parquet', 'npy', 'zarr').optional(),
    layout: choice('plain', 'trident', 'clam', 'stamp').default('plain'),
    precision: choice('fp32', 'fp16').optional(),
    geometry: geometry.optional(),
    encoder: text('the name of an encoder').default('stainfold'),
    attributes: z
      .record(z.string(), z.union([z.string(), z.number()], must('text or a number')), must('an object'))
      .default(() => ({})),
    signal: runtime.signal,
  },
  must('an object'),
);
