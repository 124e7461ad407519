/**
 * The pieces that option schemas are built of. Each carries the sentence end that an error needs:
 * "<option> must be <...>, got <value>".
 */
import { z } from 'zod';
import type { Profiler } from '../types.js';

export const must = (be: string) => ({ error: be });
export const integer = (min: number, max = Number.MAX_SAFE_INTEGER) => {
  const range =
    max === Number.MAX_SAFE_INTEGER ? `an integer of at least ${min}` : `an integer from ${min} to ${max}`;
  return z.int(must(range)).min(min, must(range)).max(max, must(range));
};
export const real = (min: number, max = Number.POSITIVE_INFINITY) => {
  const range =
    max === Number.POSITIVE_INFINITY ? `a number of at least ${min}` : `a number from ${min} to ${max}`;
  const number = z.number(must(range)).min(min, must(range));
  return max === Number.POSITIVE_INFINITY ? number : number.max(max, must(range));
};
export const positive = () => z.number(must('a number above 0')).gt(0, must('a number above 0'));
export const text = (what: string) => z.string(must(what)).min(1, must(what));
export const flag = () => z.boolean(must('true or false'));
export const choice = <const Names extends [string, ...string[]]>(...names: Names) =>
  z.enum(names, must(names.map((name) => `'${name}'`).join(' or ')));
export const tileSize = () => {
  const range = 'a multiple of 32 from 32 to 1024';
  return z.int(must(range)).min(32, must(range)).max(1024, must(range)).multipleOf(32, must(range));
};
export const callback = <Callback extends (...args: never[]) => void>() =>
  z.custom<Callback>((value) => typeof value === 'function', must('a function'));
export const profiler = z
  .custom<Profiler>(
    (value) => typeof (value as Profiler | null)?.addStamps === 'function',
    must('what createProfiler() made'),
  )
  .optional();

export const runtime = {
  device: z
    .custom<'auto' | 'cpu' | 'cuda' | `cuda:${number}`>(
      (value) => typeof value === 'string' && /^(auto|cpu|cuda(:\d{1,3})?)$/.test(value),
      must("'auto', 'cpu', 'cuda' or 'cuda:N'"),
    )
    .default('auto'),
  precision: choice('auto', 'fp32', 'bf16', 'fp16').default('auto'),
  threads: integer(1, 1024).optional(),
  libtorch: text('the path of a folder').optional(),
  signal: z.custom<AbortSignal>((value) => value instanceof AbortSignal, must('an AbortSignal')).optional(),
};
export const selection = {
  tiles: text('the path of a folder, CSV manifest or pack'),
  where: z
    .record(z.string(), z.string(must('a string')), must('an object of column names and values'))
    .default(() => ({})),
  strict: flag().default(false),
};
export const column = () => text('the name of a manifest column').optional();
