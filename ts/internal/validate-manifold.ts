/** Schemas of the manifold: one for each kind, one for each transform. Spreads that are left out follow from `strength`. */
import { z } from 'zod';
import { closest } from './closest.js';
import { flag, integer, must, real, text } from './schema.js';

const common = {
  labs: integer(1, 4096).default(64),
  geometry: flag().default(true),
  stain: text('a value of the stain column').optional(),
};
const strength = real(0, 4).default(1);
const jitter = real(0, 4).optional();
const quality = integer(1, 100);
const spread = (most: number) => real(0, most).optional();

const triple = (least: number, most: number) => {
  const range = `three numbers from ${least} to ${most}`;
  const number = z.number(must(range)).min(least, must(range)).max(most, must(range));
  return z.tuple([number, number, number], must(range));
};
const colours = {
  mean: triple(-128, 128),
  meanSpread: triple(0, 100),
  deviation: triple(0, 100),
  deviationSpread: triple(0, 100),
};
const vectors = z.union(
  [z.enum(['he', 'hdab']), z.tuple([triple(0, 100), triple(0, 100)])],
  must("'he', 'hdab' or two lists of three optical densities"),
);

const TRANSFORMS = {
  stain: z.strictObject({
    type: z.literal('stain'),
    vectors: vectors.default('he'),
    estimate: flag().default(true),
    tolerance: real(0, 180).default(180),
    concentration: real(0, 4).default(0.25),
    background: real(0, 1).default(0.03),
    rotation: real(0, 90).default(9),
    uniform: flag().default(false),
  }),
  hed: z.strictObject({
    type: z.literal('hed'),
    scale: real(0, 1).default(0.05),
    offset: real(0, 1).default(0.05),
  }),
  gain: z.strictObject({
    type: z.literal('gain'),
    spread: real(0, 2).default(0.06),
    common: real(0, 1).default(0.8),
  }),
  gamma: z.strictObject({ type: z.literal('gamma'), spread: real(0, 2).default(0.12) }),
  background: z.strictObject({
    type: z.literal('background'),
    spread: real(0, 1).default(0.02),
    common: real(0, 1).default(0),
  }),
  window: z.strictObject({
    type: z.literal('window'),
    low: real(0, 0.2).default(0.03),
    high: real(0, 0.3).default(0.15),
    common: real(0, 1).default(1),
  }),
  bias: z.strictObject({
    type: z.literal('bias'),
    spread: real(0, 1).default(0.1),
    common: real(0, 1).default(1),
  }),
  noise: z.strictObject({
    type: z.literal('noise'),
    spread: real(0, 1).default(0.02),
    shot: real(0, 1).default(0),
    common: real(0, 1).default(0),
  }),
  template: z.strictObject({ type: z.literal('template'), ...colours }),
  blur: z.strictObject({
    type: z.literal('blur'),
    sigma: real(0, 8).default(0.8),
    share: real(0, 1).default(0.5),
  }),
  jpeg: z.strictObject({
    type: z.literal('jpeg'),
    qualityMin: quality.default(40),
    share: real(0, 1).default(0.5),
  }),
};

export type TransformSettings = z.output<(typeof TRANSFORMS)[keyof typeof TRANSFORMS]>;

const stains = {
  ...common,
  strength,
  jitter,
  concentration: spread(4),
  background: spread(1),
  rotation: spread(90),
  gain: spread(2),
  gamma: spread(2),
  blur: spread(8),
  jpegQualityMin: quality.optional(),
};

const transforms = z
  .array(
    z
      .unknown()
      .transform((value, context) =>
        chosen(value, 'type', undefined, TRANSFORMS, [], (issue) => context.issues.push(issue)),
      ),
    must('a list of transforms'),
  )
  .min(1, must('a list of 1 to 32 transforms'))
  .max(32, must('a list of 1 to 32 transforms'));

const KINDS = {
  he: z.strictObject({ kind: z.literal('he').default('he'), ...stains, strength: real(0, 4).default(1.5) }),
  hdab: z.strictObject({ kind: z.literal('hdab'), ...stains }),
  fluorescence: z.strictObject({
    kind: z.literal('fluorescence'),
    ...common,
    strength,
    jitter,
    gain: spread(2),
    background: spread(1),
    gamma: spread(2),
    noise: spread(1),
    blur: spread(8),
  }),
  intensity: z.strictObject({
    kind: z.literal('intensity'),
    ...common,
    strength,
    jitter,
    channels: z.union([z.literal(1), z.literal(3)], must('1 or 3')).optional(),
    low: spread(0.2),
    high: spread(0.3),
    gain: spread(2),
    bias: spread(1),
    noise: spread(1),
    blur: spread(8),
  }),
  'hed-jitter': z.strictObject({ kind: z.literal('hed-jitter'), ...common, strength, sigma: spread(1) }),
  'macenko-jitter': z.strictObject({
    kind: z.literal('macenko-jitter'),
    ...common,
    strength,
    sigma1: spread(4),
    sigma2: spread(1),
  }),
  randstainna: z.strictObject({
    kind: z.literal('randstainna'),
    ...common,
    strength,
    statistics: z.strictObject(colours, must('an object')).optional(),
  }),
  custom: z.strictObject({
    kind: z.literal('custom'),
    ...common,
    jitter,
    fresh: flag().optional(),
    transforms,
  }),
};

export type ManifoldSettings = z.output<(typeof KINDS)[keyof typeof KINDS]>;
export type ManifoldKindName = keyof typeof KINDS;
export const MANIFOLD_KINDS = Object.keys(KINDS) as [ManifoldKindName, ...ManifoldKindName[]];

/** One manifold. */
export const manifoldSchema = z
  .unknown()
  .transform((value, context) => kindOf(value, [], (issue) => context.issues.push(issue)))
  .prefault({});

/** One, or a list of them for tiles of several stains. */
export const manifoldsSchema = z
  .unknown()
  .transform((value, context): ManifoldSettings | ManifoldSettings[] => {
    const report = (issue: RawIssue): unknown => context.issues.push(issue);
    if (!Array.isArray(value)) return kindOf(value, [], report);
    if (value.length < 1 || value.length > 16) {
      const message = 'an object, or a list of 1 to 16';
      report({ code: 'custom', message, path: [], input: value });
    }
    return value.map((item, i) => kindOf(item, [i], report));
  })
  .prefault({});

type RawIssue = z.core.$ZodRawIssue;
type Report = (issue: RawIssue) => unknown;

const kindOf = (value: unknown, path: PropertyKey[], report: Report): ManifoldSettings =>
  chosen(value, 'kind', 'he', KINDS, path, report);

/** Parses by the schema that the object's own `key` names. What fails carries the names there are, for a suggestion. */
function chosen<Schemas extends Record<string, z.ZodObject>>(
  value: unknown,
  key: string,
  fallback: string | undefined,
  schemas: Schemas,
  at: PropertyKey[],
  report: Report,
): z.output<Schemas[keyof Schemas]> {
  const say = (path: PropertyKey[], message: string, params: Record<string, unknown> = {}): never => {
    report({ code: 'custom', message, path: [...at, ...path], input: value, params });
    return z.NEVER;
  };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return say([], 'an object');
  const name = (value as Record<string, unknown>)[key] ?? fallback;
  const names = Object.keys(schemas);
  const schema = typeof name === 'string' && Object.hasOwn(schemas, name) ? schemas[name] : undefined;
  if (schema === undefined) {
    const meant = typeof name === 'string' ? closest(name, names) : undefined;
    const hint = meant === undefined ? '' : ` (did you mean '${meant}'?)`;
    return say([key], `one of ${names.map((known) => `'${known}'`).join(', ')}${hint}`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data as z.output<Schemas[keyof Schemas]>;
  for (const issue of result.error.issues) {
    if (issue.code === 'unrecognized_keys') {
      const known = issue.path.length === 0 ? Object.keys(schema.shape) : Object.keys(colours);
      say(issue.path, 'known', { unknown: issue.keys[0], known });
    } else {
      const params = issue.code === 'custom' ? issue.params : undefined;
      say(issue.path, issue.message, params);
    }
  }
  return z.NEVER;
}
