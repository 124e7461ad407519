import { z } from 'zod';
import { must, runtime, text } from './schema.js';

export const exportOnnxSchema = z.strictObject(
  { model: text('the path of a model'), out: text('the path of a file'), signal: runtime.signal },
  must('an object'),
);
