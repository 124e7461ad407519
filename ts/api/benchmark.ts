import { join, resolve } from 'node:path';
import { writeFileAtomic } from '../files/atomic.js';
import { lockFolder } from '../files/lock.js';
import { loadNative } from '../internal/load.js';
import type { NativeAddon } from '../internal/native.js';
import { validate } from '../internal/validate.js';
import { benchmarkSchema } from '../internal/validate-benchmark.js';
import { renderBenchmarkReport } from '../report/benchmark-page.js';
import { runSeconds } from '../report/benchmark-summary.js';
import { benchmarkMarkdown } from '../report/benchmark-table.js';
import type { BenchmarkOptions, BenchmarkResult } from '../types.js';
import { Clock } from './benchmark/clock.js';
import { type BenchmarkPlan, type BenchmarkSettings, type Job, planBenchmark } from './benchmark/plan.js';
import { checkSame, readRun, runFolder } from './benchmark/records.js';
import { collectResults } from './benchmark/results.js';
import { ROW_NAMES } from './benchmark/rows.js';
import { collectRun, runJob } from './benchmark/run.js';
import { collectSamples } from './benchmark/samples.js';

export { type BenchmarkTable, benchmarkMarkdown, benchmarkTables } from '../report/benchmark-table.js';
export { BENCHMARK_EXAMPLE, readBenchmarkConfig } from './benchmark/config-file.js';

/** Names of the benchmark's rows, in the order of its table. */
export const BENCHMARK_ROWS = ROW_NAMES;

/**
 * Runs the evidence protocol: every row is trained on one site with the same encoder, budget and seeds, and measured on all sites.
 * Writes results.json, table.md and report.html to `options.out`.
 *
 * What is done already is not done again, and a training that was stopped is continued: call it again after an abort, a crash, or
 * with more rows or seeds. A row that fails is recorded in the result, and the others go on; the next call tries it again.
 *
 * @example
 * const { results, files } = await benchmark({
 *   manifest: 'tiles/manifest.csv', out: 'bench', batchColumn: 'site', source: 'A', labelColumn: 'label', groupColumn: 'slide',
 * });
 *
 * @throws STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN; STAINFOLD_EVALUATE where the labels leave nothing to measure; STAINFOLD_MANIFEST,
 *   STAINFOLD_TILES_EMPTY, STAINFOLD_FILE_NOT_FOUND; STAINFOLD_OUTPUT_EXISTS where `out` holds a finished run of other settings;
 *   STAINFOLD_LOCKED, STAINFOLD_FILE_WRITE; and what loading the core throws.
 */
export async function benchmark(options: BenchmarkOptions): Promise<BenchmarkResult> {
  const settings = validate(benchmarkSchema(ROW_NAMES), options);
  settings.signal?.throwIfAborted();
  return benchmarkWith(() => loadNative(settings), settings);
}

/** `load` is called once the tiles are known to be in order. */
export async function benchmarkWith(
  load: () => Promise<NativeAddon>,
  given: BenchmarkSettings,
): Promise<BenchmarkResult> {
  const settings = { ...given, out: resolve(given.out) };
  const plan = await planBenchmark(settings);
  using _lock = await lockFolder(settings.out);
  for (const job of plan.jobs) {
    const folder = runFolder(settings.out, job);
    checkSame(job, await readRun(folder), folder);
  }
  const native = await load();
  if (settings.threads !== undefined) native.setThreads(settings.threads);
  if (settings.run) {
    try {
      await runAll(native, plan);
    } catch (error) {
      // Whatever ended it: what is done so far can be looked at.
      await writeTables(native, { ...plan, settings: { ...settings, signal: undefined } });
      throw error;
    }
  }
  return writeAll(native, plan);
}

async function runAll(native: NativeAddon, plan: BenchmarkPlan): Promise<void> {
  const { signal, onProgress, onRun } = plan.settings;
  const clock = new Clock(plan.jobs.map(({ spec }) => spec));
  for (const job of plan.jobs) {
    signal?.throwIfAborted();
    const { row, seed } = job;
    const known = await collectRun(native, plan, job);
    if (known.run.status !== 'done') {
      clock.begin();
      await attempt(native, plan, job, (stage, part) => {
        clock.advance(part);
        onProgress?.({ row, seed, stage, part, ...clock.count() });
      });
    }
    const { run } = known.run.status === 'done' ? known : await collectRun(native, plan, job);
    clock.end(run.seconds && runSeconds(run.seconds));
    // A table after each run: someone may look while the rest goes on.
    if (known.run.status !== 'done') await writeTables(native, plan);
    onRun?.(run, clock.count());
  }
}

/** A failure is the row's own; an abort is everyone's. */
async function attempt(
  native: NativeAddon,
  plan: BenchmarkPlan,
  job: Job,
  report: Parameters<typeof runJob>[3],
): Promise<void> {
  try {
    await runJob(native, plan, job, report);
  } catch (error) {
    if (plan.settings.signal?.aborted === true) throw error;
  }
}

async function writeTables(native: NativeAddon, plan: BenchmarkPlan): ReturnType<typeof collectResults> {
  const { out } = plan.settings;
  const collected = await collectResults(native, plan);
  await writeFileAtomic(join(out, 'results.json'), `${JSON.stringify(collected.results, null, 1)}\n`);
  await writeFileAtomic(join(out, 'table.md'), benchmarkMarkdown(collected.results));
  return collected;
}

async function writeAll(native: NativeAddon, plan: BenchmarkPlan): Promise<BenchmarkResult> {
  const { out } = plan.settings;
  const { results, scatter } = await writeTables(native, plan);
  const samples = await collectSamples(native, plan);
  const page = await renderBenchmarkReport({ results, scatter, samples });
  await writeFileAtomic(join(out, 'report.html'), page);
  return {
    results,
    files: {
      results: join(out, 'results.json'),
      table: join(out, 'table.md'),
      report: join(out, 'report.html'),
    },
    failed: results.runs.filter(({ status }) => status === 'failed'),
  };
}
