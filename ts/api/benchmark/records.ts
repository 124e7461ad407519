/** What a benchmark's folder says of each run: what was done, with which settings, and what came out. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StainfoldError } from '../../errors.js';
import { writeFileAtomic } from '../../files/atomic.js';
import type { BenchmarkRun, BenchmarkScores } from '../../types.js';
import type { Job } from './plan.js';

export interface RunRecord {
  /** Of the settings that it was made with. */
  digest: string;
  status: 'started' | 'done' | 'failed';
  seconds: NonNullable<BenchmarkRun['seconds']>;
  /** How many altered tiles came out how. */
  statuses?: NonNullable<BenchmarkRun['statuses']>;
  device?: string;
  precision?: string;
  error?: NonNullable<BenchmarkRun['error']>;
}

/** scores.json: they are worked out again when the evaluation's options change. */
export interface ScoreRecord {
  digest: string;
  scores: BenchmarkScores;
  scatter: Scatter;
}

/** Some tiles on their first two principal components. */
export interface Scatter {
  /** [x0, y0, x1, y1, ...] */
  points: number[];
  sites: string[];
  labels: (string | null)[];
}

export const runFolder = (out: string, { row, seed }: Pick<Job, 'row' | 'seed'>): string =>
  join(out, 'runs', row, `seed-${seed}`);

export const tilesFolder = (out: string, key: string): string => join(out, 'tiles', key);

const RUN = 'run.json';
const SCORES = 'scores.json';

/** Undefined where there is none, or one that a crash or a person damaged: then the run begins again. */
export async function readRun(folder: string): Promise<RunRecord | undefined> {
  return readJson<RunRecord>(join(folder, RUN));
}

export async function writeRun(folder: string, record: RunRecord): Promise<void> {
  await writeFileAtomic(join(folder, RUN), `${JSON.stringify(record, null, 2)}\n`);
}

export async function readScores(folder: string, digest: string): Promise<ScoreRecord | undefined> {
  const record = await readJson<ScoreRecord>(join(folder, SCORES));
  return record?.digest === digest ? record : undefined;
}

export async function writeScores(folder: string, record: ScoreRecord): Promise<void> {
  await writeFileAtomic(join(folder, SCORES), `${JSON.stringify(record)}\n`);
}

export async function readJson<Value>(path: string): Promise<Value | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Value) : undefined;
  } catch {
    return undefined;
  }
}

/** Throws STAINFOLD_OUTPUT_EXISTS where a finished run was made with other settings: hours of work are not overwritten. */
export function checkSame(job: Job, record: RunRecord | undefined, folder: string): void {
  if (record?.status !== 'done' || record.digest === job.digest) return;
  throw new StainfoldError(
    'STAINFOLD_OUTPUT_EXISTS',
    `${folder} holds a finished run of other settings or tiles than those asked for`,
    { hint: 'Choose another out, or delete that folder to run it again.' },
  );
}
