/** From single runs to rows: means over the seeds, and LMC against every other row. */
import type {
  BenchmarkComparison,
  BenchmarkRow,
  BenchmarkRowResult,
  BenchmarkRun,
  BenchmarkSummary,
} from '../types.js';
import { BENCHMARK_METRICS, type BenchmarkMetric } from './benchmark-metrics.js';

export interface RowDescription {
  row: BenchmarkRow;
  title: string;
  needsTargetImages: boolean;
}

/** A row for each of `rows`, in their order, also where nothing of it is done. */
export function summariseRows(
  rows: readonly RowDescription[],
  runs: readonly BenchmarkRun[],
): BenchmarkRowResult[] {
  const results = rows.map((description) => {
    const own = runs.filter(({ row }) => row === description.row);
    const done = own.filter(({ status }) => status === 'done');
    const summary: Record<string, BenchmarkSummary> = {};
    for (const metric of BENCHMARK_METRICS) {
      const of = summarise(metric, done);
      if (of !== undefined) summary[metric.key] = of;
    }
    const seconds = done.flatMap((run) => (run.seconds ? [runSeconds(run.seconds)] : []));
    return {
      ...description,
      summary,
      aboveChanceRatio: null,
      seconds: seconds.length === 0 ? null : mean(seconds),
      done: done.length,
      failed: own.filter(({ status }) => status === 'failed').length,
    };
  });
  const reference = results.find(({ row }) => row === 'none');
  const chance = chanceOf('knn-unseen', runs);
  return results.map((result) => ({ ...result, aboveChanceRatio: ratio(result, reference, chance) }));
}

export function runSeconds({
  tiles,
  training,
  embedding,
  scoring,
}: NonNullable<BenchmarkRun['seconds']>): number {
  return tiles + training + embedding + scoring;
}

/** What guessing reaches on a metric; null where it has none, or nothing is there to tell. */
export function chanceOf(key: string, runs: readonly BenchmarkRun[]): number | null {
  const metric = BENCHMARK_METRICS.find((candidate) => candidate.key === key);
  const scores = runs.find((run) => run.scores !== undefined)?.scores;
  return (scores && metric?.chance?.(scores)) ?? null;
}

/** Of two rows: how far above chance the sites are read. Null where the second is not above it: then there is nothing to divide by. */
export function ratio(
  own: BenchmarkRowResult | undefined,
  other: BenchmarkRowResult | undefined,
  chance: number | null,
): number | null {
  const a = own?.summary['knn-unseen']?.mean;
  const b = other?.summary['knn-unseen']?.mean;
  if (a === undefined || b === undefined || chance === null || b <= chance) return null;
  return Math.max(0, a - chance) / (b - chance);
}

function summarise(metric: BenchmarkMetric, runs: readonly BenchmarkRun[]): BenchmarkSummary | undefined {
  const read = runs.flatMap(({ seed, scores }) => {
    const value = scores && metric.read(scores);
    if (!isNumber(value)) return [];
    const interval = metric.interval?.(scores as NonNullable<typeof scores>);
    return [{ seed, value, interval: interval?.every(isNumber) ? interval : undefined }];
  });
  if (read.length === 0) return undefined;
  const intervals = read.flatMap(({ interval }) => (interval ? [interval] : []));
  const of = overSeeds(
    read.map(({ value }) => value),
    read.map(({ seed }) => seed),
  );
  if (intervals.length < read.length) return of;
  return { ...of, interval: [mean(intervals.map(([low]) => low)), mean(intervals.map(([, high]) => high))] };
}

function overSeeds(values: number[], seeds: number[]): BenchmarkSummary {
  const average = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - average) ** 2, 0);
  const deviation = values.length < 2 ? null : Math.sqrt(squares / (values.length - 1));
  return { mean: average, deviation, values, seeds };
}

/** Over the seeds that both rows have. Positive: LMC is the better one. */
export function compareRows(runs: readonly BenchmarkRun[]): BenchmarkComparison[] {
  const done = runs.filter(({ status }) => status === 'done');
  const lmc = new Map(done.filter(({ row }) => row === 'lmc').map((run) => [run.seed, run]));
  const others = [...new Set(done.map(({ row }) => row))].filter((row) => row !== 'lmc');
  return others.flatMap((row) =>
    BENCHMARK_METRICS.flatMap((metric) => {
      const pairs = done.flatMap((run) => {
        const own = run.row === row ? lmc.get(run.seed) : undefined;
        return own?.scores && run.scores ? [{ seed: run.seed, own: own.scores, other: run.scores }] : [];
      });
      const measured = pairs.flatMap(({ seed, own, other }) => {
        const values = [metric.read(own), metric.read(other)];
        if (!values.every(isNumber)) return [];
        const [a, b] = values as [number, number];
        const sides = { own: metric.interval?.(own), other: metric.interval?.(other) };
        return [{ seed, gain: goodness(metric, a) - goodness(metric, b), ...sides }];
      });
      if (measured.length === 0) return [];
      const gains = measured.map(({ gain }) => gain);
      const sign = gains.every((gain) => gain > 0) ? 1 : gains.every((gain) => gain < 0) ? -1 : 0;
      const intervals = measured.flatMap(({ own, other }) => (own && other ? [{ own, other }] : []));
      return [
        {
          row,
          metric: metric.key,
          difference: overSeeds(
            gains,
            measured.map(({ seed }) => seed),
          ),
          everySeed: gains.length < 2 ? (0 as const) : (sign as -1 | 0 | 1),
          intervalsPart:
            intervals.length < measured.length
              ? null
              : intervals.every(({ own, other }) =>
                  metric.better === 'higher' ? own[0] > other[1] : own[1] < other[0],
                ),
        },
      ];
    }),
  );
}

/** More is better, whatever the metric. */
function goodness({ better }: BenchmarkMetric, value: number): number {
  if (better === 'higher') return value;
  return better === 'lower' ? -value : -Math.abs(value);
}

const isNumber = (value: number | null | undefined): value is number =>
  typeof value === 'number' && Number.isFinite(value);

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
