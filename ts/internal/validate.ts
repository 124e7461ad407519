/**
 * Every option object of the public interface is checked here, once, before anything is touched: ranges, unknown names, and
 * the defaults that ts/types.ts documents. What comes back is a frozen copy.
 */
import { z } from 'zod';
import { StainfoldError } from '../errors.js';
import type { PhantomOptions, TrainOptions } from '../types.js';
import { closest } from './closest.js';
import {
  callback,
  choice,
  column,
  flag,
  integer,
  must,
  positive,
  profiler,
  real,
  runtime,
  selection,
  text,
  tileSize,
} from './schema.js';
import { manifoldSchema, manifoldsSchema } from './validate-manifold.js';

export { evaluateSchema } from './validate-evaluate.js';

const weights = z.strictObject(
  {
    compaction: real(0).default(1),
    scatter: real(0).default(0.1),
    reconstruction: real(0).default(1),
    adversarial: real(0).default(0.3),
  },
  must('an object'),
);

export const trainSchema = z.strictObject(
  {
    ...selection,
    ...runtime,
    out: text('the path of a folder'),
    size: choice('tiny', 'small', 'base').default('tiny'),
    latent: integer(8, 4096).optional(),
    tileSize: tileSize().optional(),
    epochs: integer(1, 1_000_000).default(30),
    batchSize: integer(2, 4096).default(32),
    views: integer(2, 16).default(2),
    viewTurn: flag().default(true),
    viewCrop: real(0.2, 1).default(1),
    learningRate: positive().default(1e-3),
    weightDecay: real(0).default(0.05),
    warmup: real(0, 0.5).default(0.05),
    clipNorm: real(0).default(1),
    temperature: real(0.01, 10).default(0.07),
    compaction: choice('contrastive', 'cross-correlation').default('contrastive'),
    weights: weights.prefault({}),
    manifold: manifoldsSchema,
    stainColumn: column(),
    labColumn: column(),
    groupColumn: column(),
    seed: integer(0).default(1),
    checkpointEvery: integer(1).optional(),
    resume: flag().default(false),
    cacheBytes: integer(0).optional(),
    profile: profiler,
    onProgress: callback<NonNullable<TrainOptions['onProgress']>>().optional(),
  },
  must('an object'),
);

export const encoderSchema = z.strictObject(
  { ...runtime, batchSize: integer(1, 4096).default(32), maxWaitMs: real(0, 60_000).default(0) },
  must('an object'),
);

export const embedSchema = z.strictObject(
  {
    signal: runtime.signal,
    onProgress: callback<(done: number) => void>().optional(),
    onUnreadable: callback<(index: number, reason: string) => void>().optional(),
    profile: profiler,
  },
  must('an object'),
);

export const phantomSchema = z.strictObject(
  {
    ...runtime,
    out: text('the path of a folder'),
    tiles: integer(1, 1_000_000).default(240),
    labs: integer(1, 64).default(4),
    tileSize: tileSize().default(128),
    mpp: real(0.1, 4).default(0.5),
    seed: integer(0).default(1),
    tissue: choice('shared', 'own').default('own'),
    onProgress: callback<NonNullable<PhantomOptions['onProgress']>>().optional(),
  },
  must('an object'),
);

export const tilesSchema = z.strictObject(
  { tiles: selection.tiles, where: selection.where, signal: runtime.signal },
  must('an object'),
);

export const readTileSchema = z.strictObject({ tileSize: integer(1, 16_384) }, must('an object'));

export const renderSchema = z.strictObject(
  {
    ...runtime,
    tileSize: tileSize(),
    manifold: manifoldSchema,
    seed: integer(0).default(1),
  },
  must('an object'),
);

export const sheetSchema = renderSchema.extend({ tileSize: tileSize().default(256) });

export const colourStatisticsSchema = z.strictObject(
  { ...runtime, tileSize: tileSize().default(256) },
  must('an object'),
);

/**
 * Checks `options` and fills in defaults.
 *
 * @throws STAINFOLD_OPTION_UNKNOWN naming what was probably meant; STAINFOLD_OPTION naming option, range and value.
 */
export function validate<Schema extends z.ZodObject>(
  schema: Schema,
  options: unknown,
): Readonly<z.output<Schema>> {
  const result = schema.safeParse(options);
  if (result.success) return Object.freeze(result.data);
  // An unknown name explains a missing one: it is told first.
  const issues = result.error.issues;
  const issue = issues.find(isUnknown) ?? (issues[0] as z.core.$ZodIssue);
  if (issue.code === 'unrecognized_keys') {
    const path = issue.path.map(String);
    throw unknownOption(path, issue.keys[0] as string, namesAt(schema, path));
  }
  if (issue.code === 'custom' && isUnknown(issue)) {
    // A schema that was chosen by a kind: it says itself which names it has.
    throw unknownOption(issue.path.map(String), issue.params?.unknown, issue.params?.known);
  }
  const path = issue.path.map(String);
  const value = path.reduce<unknown>(
    (at, key) => (at as Record<string, unknown> | undefined)?.[key],
    options,
  );
  const subject = path.length === 0 ? 'The options' : path.join('.');
  throw new StainfoldError('STAINFOLD_OPTION', `${subject} must be ${issue.message}, got ${shown(value)}`);
}

const isUnknown = (issue: z.core.$ZodIssue): boolean =>
  issue.code === 'unrecognized_keys' || (issue.code === 'custom' && issue.params?.unknown !== undefined);

function unknownOption(path: readonly string[], name: string, known: readonly string[]): StainfoldError {
  const meant = closest(name, known);
  const full = [...path, name].join('.');
  return new StainfoldError(
    'STAINFOLD_OPTION_UNKNOWN',
    `There is no option '${full}'${meant === undefined ? '' : `: did you mean '${meant}'?`}`,
    meant === undefined && known.length > 0 ? { hint: `The options are ${known.join(', ')}.` } : {},
  );
}

/** Names of the options there are at a path; none where a schema of another kind lies on the way. */
function namesAt(schema: z.ZodObject, path: readonly string[]): string[] {
  let at: unknown = schema;
  for (const key of path) {
    at = at instanceof z.ZodObject && Object.hasOwn(at.shape, key) ? at.shape[key] : undefined;
    while (at instanceof z.ZodPrefault || at instanceof z.ZodOptional || at instanceof z.ZodDefault)
      at = at.unwrap();
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 60)}…` : value}'`;
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  const kind: unknown = value.constructor?.name ?? 'null prototype'; // JSON may say anything of either
  return typeof kind === 'string' ? `an object (${kind})` : 'an object';
}
