/** results.json: all runs of a folder, their means, and what they show. */
import { availableParallelism, cpus, platform, totalmem } from 'node:os';
import type { NativeAddon } from '../../internal/native.js';
import { concludeBenchmark } from '../../report/benchmark-conclude.js';
import { BENCHMARK_METRICS } from '../../report/benchmark-metrics.js';
import { chanceOf, compareRows, runSeconds, summariseRows } from '../../report/benchmark-summary.js';
import type { BenchmarkResults, BenchmarkRow, BenchmarkRun } from '../../types.js';
import type { BenchmarkPlan } from './plan.js';
import type { RunRecord, Scatter } from './records.js';
import { isTranslator, ROW_NAMES, ROWS } from './rows.js';
import { collectRun } from './run.js';

export interface Collected {
  results: BenchmarkResults;
  /** Of the first seed that is there, by row. */
  scatter: Map<BenchmarkRow, Scatter>;
}

/** Reads what there is; scores again what was scored with other options. */
export async function collectResults(native: NativeAddon, plan: BenchmarkPlan): Promise<Collected> {
  const { settings, tiles } = plan;
  const runs: BenchmarkRun[] = [];
  const scatter: Collected['scatter'] = new Map();
  let latest: RunRecord | undefined;
  for (const job of inTableOrder(plan.jobs)) {
    settings.signal?.throwIfAborted();
    const { run, record, scored } = await collectRun(native, plan, job);
    runs.push(run);
    if (scored && !scatter.has(job.row)) scatter.set(job.row, scored.scatter);
    if (record?.device !== undefined) latest = record;
  }
  const rows = ROW_NAMES.filter((row) => settings.rows.includes(row)).map((row) => ({
    row,
    title: ROWS[row].title,
    needsTargetImages: isTranslator(ROWS[row].tiles),
  }));
  const summaries = summariseRows(rows, runs);
  const comparisons = compareRows(runs);
  const { version, libtorch } = native.status();
  const countBy = (column: string | undefined): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const { labels } of column === undefined ? [] : tiles) {
      const value = labels[column as string] as string;
      if (value !== '') counts[value] = (counts[value] ?? 0) + 1;
    }
    return counts;
  };
  const sites = countBy(settings.batchColumn);
  const results: BenchmarkResults = {
    format: 'stainfold-benchmark',
    formatVersion: 1,
    config: configOf(plan),
    dataDigest: plan.dataDigest,
    tileSize: plan.tileSize,
    sites: Object.fromEntries(plan.sites.map((site) => [site, sites[site] as number])),
    labels: countBy(settings.labelColumn),
    versions: { stainfold: version, libtorch, node: process.versions.node },
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown processor',
      cores: availableParallelism(),
      memoryBytes: totalmem(),
      platform: `${platform()}-${process.arch}`,
      device: latest?.device ?? settings.device,
      precision: latest?.precision ?? settings.precision,
    },
    created: new Date().toISOString(),
    seconds: totalSeconds(runs, plan),
    metrics: BENCHMARK_METRICS.filter(({ key }) => summaries.some(({ summary }) => summary[key])).map(
      ({ key, title, better, about }) => ({ key, title, better, about, chance: chanceOf(key, runs) }),
    ),
    rows: summaries,
    comparisons,
    claims: concludeBenchmark({
      rows: summaries,
      comparisons,
      siteChance: chanceOf('knn-unseen', runs),
      probeChance: chanceOf('probe-unseen', runs),
      batchColumn: settings.batchColumn,
      labelColumn: settings.labelColumn ?? null,
      seeds: settings.seeds.length,
    }),
    runs,
  };
  return { results, scatter };
}

function inTableOrder(jobs: BenchmarkPlan['jobs']): BenchmarkPlan['jobs'] {
  return [...jobs].sort((a, b) => ROW_NAMES.indexOf(a.row) - ROW_NAMES.indexOf(b.row) || a.seed - b.seed);
}

/** Paths tell nothing of the result and may name people. */
function configOf({ settings, tileSize }: BenchmarkPlan): BenchmarkResults['config'] {
  const { batchColumn, source, labelColumn, groupColumn, where, rows, seeds, budget, lmc } = settings;
  const { options, normalizers, fitTiles, gan, translatorPerSeed, evaluation } = settings;
  return {
    batchColumn,
    source,
    ...(labelColumn && { labelColumn }),
    ...(groupColumn && { groupColumn }),
    where,
    tileSize,
    rows,
    seeds,
    budget,
    lmc,
    options: Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
    normalizers: Object.fromEntries(Object.entries(normalizers).filter(([, value]) => value !== undefined)),
    fitTiles,
    gan,
    translatorPerSeed,
    evaluation,
  };
}

/** Tiles that all seeds share are counted once. */
function totalSeconds(runs: readonly BenchmarkRun[], { jobs }: BenchmarkPlan): number {
  const counted = new Set<string>();
  return runs.reduce((sum, { row, seed, seconds }) => {
    if (seconds === undefined) return sum;
    const key = jobs.find((job) => job.row === row && job.seed === seed)?.tiles?.key;
    const tiles = key === undefined || counted.has(key) ? 0 : seconds.tiles;
    if (key !== undefined) counted.add(key);
    return sum + tiles + runSeconds({ ...seconds, tiles: 0 });
  }, 0);
}
