import type { Evaluation } from '../types.js';
import { type MetricCell, tabulate } from './table.js';

/** How the trained encoder stands to one baseline on one metric. */
export interface Comparison {
  metric: string;
  baseline: string;
  /** Positive: the trained encoder is better. */
  gain: number;
  /** Every seed of the trained encoder is better than every seed of the baseline. */
  beyondSpread: boolean;
}

export interface Conclusion {
  /** What came out, in one sentence, computed from the numbers alone. */
  sentence: string;
  /** On every headline metric and against every baseline, by more than the seeds' spread. */
  ahead: boolean;
  comparisons: Comparison[];
}

const TRAINED = 'trained encoder';

/** How plainly the batch can be read, and how well the label is read where the probe was never trained. */
const HEADLINES = [
  {
    key: 'batch-knn',
    higher: false,
    measures: (batch: string, _label: string) => `a tile's ${batch} can be read from its neighbours`,
  },
  {
    key: 'probe-unseen',
    higher: true,
    measures: (batch: string, label: string) =>
      `its ${label} label on every ${batch} that the probe never saw`,
  },
] as const;

/** States what an evaluation shows: how the trained encoder stands to each baseline. Give one evaluation for each seed. */
export function conclude(evaluations: Evaluation | readonly Evaluation[]): Conclusion {
  const table = tabulate(evaluations);
  const trained = table.rows.find((row) => row.name === TRAINED);
  const baselines = table.rows.filter((row) => row.name !== TRAINED);
  if (trained === undefined || baselines.length === 0) {
    return { sentence: 'There is no baseline to compare with.', ahead: false, comparisons: [] };
  }

  const first = 'rows' in evaluations ? evaluations : evaluations[0];
  const comparisons: Comparison[] = [];
  const clauses: string[] = [];
  for (const { key, higher, measures } of HEADLINES) {
    const column = table.columns.findIndex((candidate) => candidate.key === key);
    const own = trained.cells[column];
    if (!own) continue;
    const against: string[] = [];
    for (const baseline of baselines) {
      const other = baseline.cells[column];
      if (!other) continue;
      comparisons.push(compare(key, baseline.name, own, other, higher));
      against.push(`${baseline.name} ${percent(other.mean)}`);
    }
    const chance = table.columns[column]?.chance ?? null;
    if (chance !== null) against.push(`chance ${percent(chance)}`);
    clauses.push(
      `${measures(first?.batchColumn ?? 'batch', first?.labelColumn ?? 'label')} with ${percent(own.mean)} accuracy (${against.join(', ')})`,
    );
  }
  return {
    sentence: `With the trained encoder, ${clauses.join('; ')}: ${judge(comparisons, table.seeds)}.`,
    ahead: comparisons.length > 0 && comparisons.every((comparison) => comparison.beyondSpread),
    comparisons,
  };
}

function compare(
  metric: string,
  baseline: string,
  own: MetricCell,
  other: MetricCell,
  higher: boolean,
): Comparison {
  const sign = higher ? 1 : -1;
  const worst = Math.min(...own.values.map((value) => sign * value));
  const best = Math.max(...other.values.map((value) => sign * value));
  return { metric, baseline, gain: sign * (own.mean - other.mean), beyondSpread: worst > best };
}

function judge(comparisons: readonly Comparison[], seeds: number): string {
  if (comparisons.length === 0) return 'nothing to compare';
  const all = comparisons.length;
  const won = comparisons.filter((comparison) => comparison.gain > 0).length;
  const lost = comparisons.filter((comparison) => comparison.gain < 0).length;
  const clear = comparisons.filter((comparison) => comparison.beyondSpread).length;
  if (won === all && seeds === 1)
    return 'it is ahead in every comparison, with one seed (the spread between seeds is not known)';
  if (clear === all) return `it is ahead in every comparison by more than the spread of ${seeds} seeds`;
  if (won === all) {
    return `it is ahead in the mean of ${seeds} seeds, but in ${all - clear} of ${all} comparisons within their spread`;
  }
  if (lost === all) return 'it is behind in every comparison';
  if (won === 0 && lost === 0) return 'it is level with the baselines';
  return `it is ahead in ${won} of ${all} comparisons and behind in ${lost}`;
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}
