import { z } from 'zod';
import type { AttributionTarget } from '../types.js';
import { callback, choice, flag, integer, must, runtime } from './schema.js';

export const attributeSchema = z.strictObject(
  {
    target: z
      .custom<AttributionTarget>(
        (value) =>
          value === 'norm' ||
          (typeof value === 'object' && value !== null && ('direction' in value || 'similarTo' in value)),
        must("'norm', { direction: weights } or { similarTo: tile }"),
      )
      .default('norm'),
    methods: z
      .array(
        choice('gradients', 'cam', 'sensitivity'),
        must("a list of 'gradients', 'cam' and 'sensitivity'"),
      )
      .default(['gradients', 'cam', 'sensitivity']),
    baseline: choice('glass', 'blur').default('glass'),
    steps: integer(1, 4096).default(32),
    stage: integer(1, 4).default(3),
    overlays: flag().default(false),
    signal: runtime.signal,
    onProgress: callback<(done: number) => void>().optional(),
    onUnreadable: callback<(index: number, reason: string) => void>().optional(),
  },
  must('an object'),
);
