/** Options of the benchmark. Training options inside are checked by `train`'s own schema once each row's are put together. */
import { z } from 'zod';
import type { BenchmarkOptions, BenchmarkRow, BenchmarkTraining } from '../types.js';
import { callback, column, flag, integer, must, runtime, text, tileSize } from './schema.js';

const object = <Type extends object>(what: string) =>
  z.custom<Type>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), must(what));

/** `names`: the rows there are, in the table's order. */
export const benchmarkSchema = (names: readonly [BenchmarkRow, ...BenchmarkRow[]]) => {
  const rows = z.enum(names, must(`one of ${names.join(', ')}`));
  const list = 'a list without repetitions, of one at least';
  const unique = (values: readonly unknown[]): boolean => new Set(values).size === values.length;
  return z.strictObject(
    {
      ...runtime,
      manifest: text('the path of a CSV manifest'),
      out: text('the path of a folder'),
      batchColumn: text('the name of a manifest column'),
      source: text('a value of the batch column'),
      labelColumn: column(),
      groupColumn: column(),
      where: z
        .record(z.string(), z.string(must('a string')), must('an object of column names and values'))
        .default(() => ({})),
      tileSize: tileSize().optional(),
      rows: z
        .array(rows, must(list))
        .min(1, must(list))
        .refine(unique, must(list))
        .default([...names]),
      seeds: z.array(integer(0), must(list)).min(1, must(list)).refine(unique, must(list)).default([1, 2, 3]),
      budget: object<BenchmarkTraining>('an object of training options').default({}),
      lmc: object<BenchmarkTraining>('an object of training options').default({}),
      options: z
        .strictObject(
          Object.fromEntries(
            names.map((name) => [
              name,
              object<BenchmarkTraining>('an object of training options').optional(),
            ]),
          ) as unknown as Record<BenchmarkRow, z.ZodOptional<z.ZodType<BenchmarkTraining>>>,
          must('an object by row'),
        )
        .prefault({}),
      normalizers: z
        .strictObject(
          {
            reinhard: object<Record<string, unknown>>('an object of options').optional(),
            macenko: object<Record<string, unknown>>('an object of options').optional(),
            vahadane: object<Record<string, unknown>>('an object of options').optional(),
            histogram: object<Record<string, unknown>>('an object of options').optional(),
          },
          must('an object'),
        )
        .prefault({}),
      fitTiles: integer(1, 100_000).default(256),
      translatorPerSeed: flag().default(true),
      gan: object<Record<string, unknown>>('an object of options').default({}),
      evaluation: z
        .strictObject(
          { k: integer(1, 10_000).default(15), bootstrap: integer(100, 100_000).default(1000) },
          must('an object'),
        )
        .prefault({}),
      run: flag().default(true),
      onProgress: callback<NonNullable<BenchmarkOptions['onProgress']>>().optional(),
      onRun: callback<NonNullable<BenchmarkOptions['onRun']>>().optional(),
    },
    must('an object'),
  );
};
