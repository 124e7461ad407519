/** Everything a benchmark is determined by, worked out and checked before anything is run. */
import { createHash } from 'node:crypto';
import { digestTiles, openTileSet, type Tile } from '../../data/tile-set.js';
import { StainfoldError } from '../../errors.js';
import { trainSchema, validate } from '../../internal/validate.js';
import type { benchmarkSchema } from '../../internal/validate-benchmark.js';
import { stainFitSchema } from '../../internal/validate-stain.js';
import { trainTranslatorSchema } from '../../internal/validate-translator.js';
import type { BenchmarkRow, BenchmarkTraining } from '../../types.js';
import { planProbe } from '../evaluate-probe.js';
import { firstTileSize, requireColumn, type TrainSettings } from '../train-plan.js';
import { isTranslator, mergeTraining, type Normalizer, ROWS, type RowSpec, type Translator } from './rows.js';
import { translatorOptions } from './transforms.js';

export type BenchmarkSettings = ReturnType<typeof validate<ReturnType<typeof benchmarkSchema>>>;

/** One row with one seed. */
export interface Job {
  row: BenchmarkRow;
  seed: number;
  spec: RowSpec;
  /** Of the row, without paths; undefined where nothing is trained. */
  training: TrainSettings | undefined;
  /** What the run's result depends on. */
  digest: string;
  /** The prepared tiles it works on; undefined: the tiles as they are. */
  tiles: { key: string; digest: string } | undefined;
}

export interface BenchmarkPlan {
  settings: BenchmarkSettings;
  /** By name, which is the order of everything. */
  tiles: Tile[];
  /** All columns of the manifest. */
  columns: string[];
  /** The source first, the others by name. */
  sites: string[];
  tileSize: number;
  dataDigest: string;
  /** In the order they are run. */
  jobs: Job[];
}

/** Raised when a result would come out otherwise for the same options. */
const FORMAT = 1;

/** What a benchmark sets by itself, and so takes from no options. */
const OWN = [
  ...['tiles', 'where', 'strict', 'out', 'tileSize', 'seed', 'resume', 'onProgress'],
  ...['device', 'precision', 'threads', 'libtorch', 'signal'],
] as const;
/** Of no influence on what is learnt. */
const IMMATERIAL: ReadonlySet<string> = new Set([...OWN, 'cacheBytes', 'checkpointEvery']);

export async function planBenchmark(settings: BenchmarkSettings): Promise<BenchmarkPlan> {
  const { manifest, where, signal, batchColumn, labelColumn, groupColumn, source } = settings;
  const set = await openTileSet({ tiles: manifest, where }, signal);
  for (const option of ['batchColumn', 'labelColumn', 'groupColumn'] as const) {
    const column = settings[option];
    if (column !== undefined) requireColumn(set.columns, option, column);
  }
  const tiles = set.tiles.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
  const sites = checkSites(tiles, settings);
  if (labelColumn !== undefined) {
    // Mistakes in the labels are told before hours are spent.
    for (const seed of settings.seeds) {
      planProbe(tiles, { batchColumn, labelColumn, groupColumn, source, seed });
    }
  }
  const ofSource = tiles.filter(({ labels }) => labels[batchColumn] === source);
  const tileSize = settings.tileSize ?? (await firstTileSize(ofSource));
  const columns = [batchColumn, labelColumn, groupColumn].filter((name) => name !== undefined);
  const dataDigest = digestTiles(tiles, columns);
  const context = { settings, tileSize, dataDigest };
  const jobs = settings.rows.flatMap((row) => settings.seeds.map((seed) => planJob(row, seed, context)));
  return { settings, tiles, columns: set.columns, sites, tileSize, dataDigest, jobs: inOrder(jobs) };
}

function checkSites(tiles: readonly Tile[], settings: BenchmarkSettings): string[] {
  const { batchColumn, source, evaluation } = settings;
  const fail = (detail: string): StainfoldError => new StainfoldError('STAINFOLD_EVALUATE', detail);
  const counts = new Map<string, number>();
  for (const { labels } of tiles) {
    const site = labels[batchColumn] as string;
    counts.set(site, (counts.get(site) ?? 0) + 1);
  }
  const names = [...counts.keys()].sort();
  if (!counts.has(source)) {
    throw fail(`There is no '${source}' in column '${batchColumn}', only ${names.join(', ')}`);
  }
  if (names.length < 2)
    throw fail(`Column '${batchColumn}' holds '${source}' alone: there is nothing unseen`);
  for (const [name, count] of counts) {
    if (name === '') throw fail(`${count} of the tiles have no value in column '${batchColumn}'`);
    if (count < 2) throw fail(`'${name}' in column '${batchColumn}' has 1 tile, 2 are needed at least`);
  }
  const unseen = tiles.length - (counts.get(source) as number);
  if (evaluation.k >= unseen) {
    throw fail(
      `evaluation.k is ${evaluation.k}, but there are only ${unseen} tiles of sites never trained on`,
    );
  }
  return [source, ...names.filter((name) => name !== source)];
}

function planJob(
  row: BenchmarkRow,
  seed: number,
  context: { settings: BenchmarkSettings; tileSize: number; dataDigest: string },
): Job {
  const { settings, tileSize, dataDigest } = context;
  const { batchColumn, source } = settings;
  const spec = ROWS[row];
  const training = planTraining(row, seed, settings, tileSize);
  const common = [FORMAT, dataDigest, tileSize, batchColumn, source];
  let tiles: Job['tiles'];
  if (spec.tiles !== undefined) {
    const own = isTranslator(spec.tiles)
      ? planTranslator(spec.tiles, settings.translatorPerSeed ? seed : (settings.seeds[0] as number), context)
      : planNormalizer(spec.tiles, settings);
    tiles = { key: own.key, digest: digestOf([...common, row, own.options]) };
  }
  // An untrained encoder depends on its size, colours on nothing.
  const depends = spec.reference === 'colour' ? null : material(training);
  return {
    row,
    seed,
    spec,
    training: spec.reference === undefined ? training : undefined,
    digest: digestOf([...common, row, seed, depends, tiles?.digest ?? null]),
    tiles,
  };
}

function planNormalizer(
  method: Normalizer,
  { normalizers, fitTiles, device }: BenchmarkSettings,
): { key: string; options: unknown } {
  const given = normalizers[method] ?? {};
  const own = [...OWN, 'method'].find((key) => key in given);
  if (own !== undefined) throw ownOption(`normalizers.${method}`, own);
  try {
    const options = validate(stainFitSchema, { ...given, method, device });
    return { key: method, options: [material(options), fitTiles] };
  } catch (error) {
    throw inContext(`normalizers.${method}`, error);
  }
}

function planTranslator(
  variant: Translator,
  seed: number,
  context: { settings: BenchmarkSettings; tileSize: number },
): { key: string; options: unknown } {
  const { settings } = context;
  const own = [...OWN, 'variant'].find((key) => key in settings.gan);
  if (own !== undefined) throw ownOption('gan', own);
  try {
    const options = validate(trainTranslatorSchema, {
      ...translatorOptions(context, variant, seed),
      out: settings.out,
    });
    return { key: `${variant}-seed-${seed}`, options: material(options) };
  } catch (error) {
    throw inContext('gan', error);
  }
}

function planTraining(
  row: BenchmarkRow,
  seed: number,
  settings: BenchmarkSettings,
  tileSize: number,
): TrainSettings {
  const { budget, lmc, options, device, precision, threads, libtorch, signal, strict } = {
    strict: false,
    ...settings,
  };
  const spec = ROWS[row];
  const given = { budget, ...(spec.lmc && { lmc }), [`options.${row}`]: options[row] };
  for (const [name, layer] of Object.entries(given)) {
    const own = OWN.find((key) => layer !== undefined && key in layer);
    if (own !== undefined) throw ownOption(name, own);
  }
  const layers = [budget, spec.lmc ? lmc : undefined, spec.training, options[row]];
  const merged: BenchmarkTraining = mergeTraining(...layers);
  const runtime = { device, precision, ...(threads && { threads }), ...(libtorch && { libtorch }) };
  try {
    return validate(trainSchema, {
      ...merged,
      ...runtime,
      ...(signal && { signal }),
      strict,
      tiles: settings.manifest,
      out: settings.out,
      seed,
      tileSize,
    });
  } catch (error) {
    throw inContext(`Training options of row '${row}'`, error);
  }
}

function ownOption(name: string, own: string): StainfoldError {
  return new StainfoldError('STAINFOLD_OPTION', `${name}.${own} is set by the benchmark itself`, {
    hint: `Remove it from ${name}; tileSize, seeds and the device stand at the top of the options.`,
  });
}

function inContext(where: string, error: unknown): unknown {
  if (!(error instanceof StainfoldError)) return error;
  const detail = error.message.slice(0, -error.hint.length);
  return new StainfoldError(error.code, `${where}: ${detail}`, { hint: error.hint, cause: error });
}

/** References and encoders first, seed by seed, so that a table is complete early; the translators, which take longest, last. */
function inOrder(jobs: readonly Job[]): Job[] {
  const late = ({ spec }: Job): number => Number(isTranslator(spec.tiles));
  const seeds = [...new Set(jobs.map(({ seed }) => seed))];
  return [...jobs].sort((a, b) => late(a) - late(b) || seeds.indexOf(a.seed) - seeds.indexOf(b.seed));
}

function material(training: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(training).filter(([name]) => !IMMATERIAL.has(name)));
}

export function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value, sorted)).digest('hex');
}

/** Members by name: the order in a config file means nothing. */
function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
