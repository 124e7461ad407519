/** One run: prepare the tiles, train, embed, score. Whatever is there already is not done again. */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { orderedMap } from '../../data/ordered-map.js';
import { readSafetensors } from '../../data/safetensors.js';
import { StainfoldError } from '../../errors.js';
import type { NativeAddon } from '../../internal/native.js';
import { encoderSchema, trainSchema, validate } from '../../internal/validate.js';
import type { BenchmarkProgress, BenchmarkRun, Embeddings } from '../../types.js';
import { writeEmbeddings } from '../embeddings.js';
import { openEncoder } from '../encoder.js';
import { Features } from '../evaluate-features.js';
import { BATCHES_IN_FLIGHT, type PixelBatch, pixelBatches } from '../tile-batches.js';
import { defaultLatent, trainWith } from '../train.js';
import { type BenchmarkPlan, digestOf, type Job } from './plan.js';
import { originalTiles, preparedTiles, type RowTiles } from './prepare.js';
import {
  type RunRecord,
  readRun,
  readScores,
  runFolder,
  type ScoreRecord,
  writeRun,
  writeScores,
} from './records.js';
import { isTranslator } from './rows.js';
import { SCORE_VERSION, type ScoredTile, score } from './score.js';
import { openTransform } from './transforms.js';

/** What a stage reports: its name, and its part of the whole run that is done. */
export type Report = (stage: BenchmarkProgress['stage'], part: number) => void;

/** A run's results, as far as they are in the folder. Scores are worked out again where the evaluation's options differ. */
export async function collectRun(
  native: NativeAddon,
  plan: BenchmarkPlan,
  job: Job,
): Promise<{ run: BenchmarkRun; record?: RunRecord; scored?: ScoreRecord }> {
  const { row, seed } = job;
  const folder = runFolder(plan.settings.out, job);
  const record = await readRun(folder);
  if (record === undefined || record.digest !== job.digest || record.status === 'started') {
    return { run: { row, seed, status: 'missing' } };
  }
  if (record.status === 'failed') {
    return { run: { row, seed, status: 'failed', ...(record.error && { error: record.error }) }, record };
  }
  const scored = await scoredRun(native, plan, job, folder);
  const { seconds, statuses } = record;
  const run = { row, seed, status: 'done' as const, seconds, ...(statuses && { statuses }) };
  return { run: { ...run, scores: scored.scores }, record, scored };
}

/** Carries the job out and records it. An abort leaves what continues it later; any other failure is recorded, and thrown. */
export async function runJob(
  native: NativeAddon,
  plan: BenchmarkPlan,
  job: Job,
  report: Report,
): Promise<void> {
  const { signal, out } = plan.settings;
  const folder = runFolder(out, job);
  const before = await readRun(folder);
  // Other settings: what was begun with them is of no use.
  if (before !== undefined && before.digest !== job.digest)
    await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const continued = before?.digest === job.digest ? before.seconds : undefined;
  const seconds = { tiles: 0, training: 0, ...continued, embedding: 0, scoring: 0 };
  const record: RunRecord = { digest: job.digest, status: 'started', seconds };
  await writeRun(folder, record);
  // Added up: a training that was stopped and continued took what it took before, too.
  const timed = async <Result>(stage: keyof typeof seconds, work: () => Promise<Result>): Promise<Result> => {
    const begun = performance.now();
    try {
      return await work();
    } finally {
      seconds[stage] += (performance.now() - begun) / 1000;
    }
  };
  try {
    const tiles = await rowTiles(native, plan, job, report);
    seconds.tiles = tiles.seconds;
    if (tiles.statuses) record.statuses = tiles.statuses;
    const model =
      job.training && (await timed('training', () => trainJob(native, plan, job, tiles, folder, report)));
    const { embeddings, rows, device, precision } = await timed('embedding', () =>
      embedJob(native, plan, job, tiles, model, report),
    );
    await writeEmbeddings(join(folder, 'embeddings.safetensors'), embeddings, rows);
    report('scoring', 0.97);
    const scored = await timed('scoring', () => scoreJob(native, plan, job, embeddings, rows));
    await writeScores(folder, scored);
    await writeRun(folder, { ...record, status: 'done', device, precision });
  } catch (error) {
    const aborted = signal?.aborted === true;
    const status = aborted ? 'started' : 'failed';
    await writeRun(folder, { ...record, status, ...(!aborted && { error: describe(error) }) });
    throw error;
  }
}

function describe(error: unknown): NonNullable<BenchmarkRun['error']> {
  const code = error instanceof StainfoldError ? error.code : null;
  return { code, message: error instanceof Error ? error.message : String(error) };
}

async function rowTiles(
  native: NativeAddon,
  plan: BenchmarkPlan,
  job: Job,
  report: Report,
): Promise<RowTiles> {
  const { tiles, spec } = job;
  if (tiles === undefined || spec.tiles === undefined) return originalTiles(plan);
  const end = shareOfTiles(job);
  // A translator's training is nearly all of it.
  const trained = isTranslator(spec.tiles) ? 0.9 * end : 0;
  const open = openTransform(native, plan, job, (part) => report('translator', trained * part));
  return preparedTiles(plan, tiles, open, (part) => report('tiles', trained + (end - trained) * part));
}

/** Where the stages end within a run, for the bar and the estimate of the time left alone. */
const TRAINED = 0.92;
const shareOfTiles = ({ spec }: Job): number =>
  spec.tiles === undefined ? 0 : isTranslator(spec.tiles) ? 0.6 : 0.1;

async function trainJob(
  native: NativeAddon,
  { settings }: BenchmarkPlan,
  job: Job,
  tiles: RowTiles,
  folder: string,
  report: Report,
): Promise<string> {
  const model = join(folder, 'model.safetensors');
  // It is written whole, last of all.
  if (existsSync(model)) return model;
  const from = shareOfTiles(job);
  const { where, batchColumn, source, signal } = settings;
  const begun = ['checkpoint.safetensors', 'metrics.jsonl'].some((name) => existsSync(join(folder, name)));
  const options = {
    ...job.training,
    ...(signal && { signal }),
    tiles: tiles.manifest,
    where: { ...(job.tiles === undefined ? where : {}), [batchColumn]: source },
    out: folder,
    resume: begun,
    onProgress: ({ step, steps }: { step: number; steps: number }): void =>
      report('training', from + ((TRAINED - from) * step) / steps),
  };
  await trainWith(async () => native, validate(trainSchema, options));
  return model;
}

interface Embedded {
  embeddings: Embeddings;
  rows: ScoredTile[];
  device: string;
  precision: string;
}

async function embedJob(
  native: NativeAddon,
  plan: BenchmarkPlan,
  job: Job,
  { tiles }: RowTiles,
  model: string | undefined,
  report: Report,
): Promise<Embedded> {
  const unreadable = new Set<number>();
  const paths = tiles.map(({ path }) => path);
  const from = model === undefined ? 0 : TRAINED;
  const options = {
    ...(plan.settings.signal && { signal: plan.settings.signal }),
    onProgress: (done: number): void => report('embedding', from + ((0.97 - from) * done) / tiles.length),
    onUnreadable: (index: number): void => void unreadable.add(index),
  };
  const described = await (model === undefined
    ? describeTiles(native, plan, job, paths, options)
    : embedTiles(native, plan, model, paths, options));
  const rows = tiles
    .filter((_, index) => !unreadable.has(index))
    .map(({ file, labels }) => ({ file, labels }));
  return { ...described, rows };
}

interface Watch {
  signal?: AbortSignal;
  onProgress: (done: number) => void;
  onUnreadable: (index: number, reason: string) => void;
}

async function embedTiles(
  native: NativeAddon,
  { settings }: BenchmarkPlan,
  model: string,
  paths: string[],
  watch: Watch,
): Promise<Omit<Embedded, 'rows'>> {
  const { device, precision } = settings;
  const encoder = await openEncoder(
    async () => native,
    model,
    validate(encoderSchema, { device, precision }),
  );
  try {
    const embeddings = await encoder.embed(paths, watch);
    return { embeddings, device: encoder.device, precision: encoder.precision };
  } finally {
    await encoder.dispose();
  }
}

/** The references: colour statistics, or the encoder with random weights. */
async function describeTiles(
  native: NativeAddon,
  { settings, tileSize }: BenchmarkPlan,
  { spec, seed }: Job,
  paths: string[],
  { signal, onProgress, onUnreadable }: Watch,
): Promise<Omit<Embedded, 'rows'>> {
  const { device, precision, budget } = settings;
  const size = budget.size ?? 'tiny';
  const model = { size, latent: budget.latent ?? defaultLatent(native, size), tileSize };
  const embedder = new native.Embedder({ model, device, precision, seed });
  try {
    const opened = await embedder.open([], new Uint8Array(0));
    const features = new Features();
    const work = async ({ pixels, count }: PixelBatch) => ({
      part: await (spec.reference === 'colour'
        ? native.metrics.colourStatistics(pixels, count, tileSize, tileSize)
        : embedder.embed(pixels, count)),
      count,
    });
    const batches = pixelBatches(paths, { tileSize, batchSize: 32, signal, onUnreadable });
    let done = 0;
    for await (const { part, count } of orderedMap(batches, BATCHES_IN_FLIGHT, work, signal)) {
      features.add(part, count);
      done += count;
      onProgress(done);
    }
    const { data, rows, columns } = features.matrix();
    const { device: used, precision: of } = opened;
    return { embeddings: { data, shape: [rows, columns] }, device: used, precision: of };
  } finally {
    await embedder.dispose();
  }
}

const scoreDigest = ({ settings }: BenchmarkPlan, job: Job): string =>
  digestOf([SCORE_VERSION, job.digest, settings.labelColumn, settings.groupColumn, settings.evaluation]);

async function scoreJob(
  native: NativeAddon,
  plan: BenchmarkPlan,
  job: Job,
  embeddings: Embeddings,
  rows: readonly ScoredTile[],
): Promise<ScoreRecord> {
  const scored = await score(native, embeddings, rows, plan, job.seed);
  return { digest: scoreDigest(plan, job), ...scored };
}

async function scoredRun(
  native: NativeAddon,
  plan: BenchmarkPlan,
  job: Job,
  folder: string,
): Promise<ScoreRecord> {
  const known = await readScores(folder, scoreDigest(plan, job));
  if (known !== undefined) return known;
  const { tensors, data, metadata } = await readSafetensors(join(folder, 'embeddings.safetensors'));
  const [rows = 0, columns = 0] = tensors[0]?.shape ?? [];
  const named = JSON.parse(metadata.tiles ?? '[]') as (Record<string, string> & { file: string })[];
  const tiles = named.map(({ file, ...labels }) => ({ file, labels }));
  await nextTurn();
  const values = new Float32Array(data.buffer, data.byteOffset, rows * columns);
  const scored = await scoreJob(native, plan, job, { data: values, shape: [rows, columns] }, tiles);
  await writeScores(folder, scored);
  return scored;
}
