import { z } from 'zod';
import type { SlideReportOptions } from '../types.js';
import { callback, flag, must, real, runtime, text } from './schema.js';

const record = must('an object');

export const slideReportSchema = z.strictObject(
  {
    slides: z.array(text('the path of a slide'), must('a list of paths')),
    features: z.array(text('the path of a file of features').optional()).optional(),
    slide: z
      .custom<NonNullable<SlideReportOptions['slide']>>((value) => typeof value === 'object', record)
      .default({}),
    tiling: z
      .custom<NonNullable<SlideReportOptions['tiling']>>((value) => typeof value === 'object', record)
      .default({}),
    quality: flag().default(true),
    like: z.strictObject({ x: real(0, 1e9), y: real(0, 1e9) }, record).optional(),
    probe: z
      .strictObject(
        { weights: z.array(z.number()), bias: z.number().default(0), name: text('a name').default('probe') },
        record,
      )
      .optional(),
    pictures: text('the path of a folder').optional(),
    title: text('a title').default('Slides'),
    command: text('a command line').optional(),
    signal: runtime.signal,
    onProgress: callback<NonNullable<SlideReportOptions['onProgress']>>().optional(),
  },
  record,
);
