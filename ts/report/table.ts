import type { Evaluation, EvaluationRow } from '../types.js';

/** Which values of a column are the better ones. */
export type Better = 'higher' | 'lower' | 'nearer zero';

/** The same as a sign beside a heading. */
export const BETTER_SIGNS: Readonly<Record<Better, string>> = {
  higher: '↑',
  lower: '↓',
  'nearer zero': '→ 0',
};

/** One column of the table of an evaluation. */
export interface MetricColumn {
  key: string;
  /** Heading. Columns of one group stand side by side. */
  group: string;
  title: string;
  /** What guessing reaches, where that is defined. */
  chance: number | null;
  /** What to hold the value against: `chance 0.25`, `1 to 5`, or nothing. */
  note: string;
  better: Better | null;
  /** One sentence for a reader who meets it for the first time. */
  about: string;
  decimals: number;
}

/** Over the evaluations (one for each seed): their mean, and their standard deviation (n-1), null where there is only one. */
export interface MetricCell {
  mean: number;
  spread: number | null;
  /** One for each seed, in the order given. */
  values: number[];
}

export interface EvaluationTable {
  columns: MetricColumn[];
  rows: { name: string; cells: (MetricCell | null)[] }[];
  /** How many evaluations are behind each cell. */
  seeds: number;
}

interface Metric extends Omit<MetricColumn, 'chance' | 'note'> {
  chance?: (evaluation: Evaluation) => number;
  note?: (evaluation: Evaluation) => string;
  read: (row: EvaluationRow) => number | undefined;
}

const METRICS: readonly Metric[] = [
  {
    key: 'dimensions',
    group: '',
    title: 'dims',
    better: null,
    decimals: 0,
    about: 'Numbers that describe one tile.',
    read: (row) => row.dimensions,
  },
  {
    key: 'silhouette-cosine',
    group: 'silhouette',
    title: 'cosine',
    better: 'nearer zero',
    decimals: 3,
    about: 'How far the batches form clusters of their own, by angle, -1 to 1: 0 is mixed, 1 is apart.',
    read: (row) => row.silhouette.cosine,
  },
  {
    key: 'silhouette-euclidean',
    group: 'silhouette',
    title: 'euclidean',
    better: 'nearer zero',
    decimals: 3,
    about: 'The same by straight-line distance.',
    read: (row) => row.silhouette.euclidean,
  },
  {
    key: 'batch-knn',
    group: 'batch',
    title: 'k-NN acc.',
    better: 'lower',
    decimals: 3,
    about:
      "How often a tile's neighbours give its batch away (balanced accuracy). Guessing reaches the chance stated.",
    chance: ({ batches }) => 1 / Object.keys(batches).length,
    read: (row) => row.batchKnn,
  },
  {
    key: 'lisi',
    group: 'batch',
    title: 'LISI',
    better: 'higher',
    decimals: 2,
    about: 'The effective number of batches among neighbours: 1 is apart, the number of batches is mixed.',
    note: ({ batches }) => `1 to ${Object.keys(batches).length}`,
    read: (row) => row.lisi,
  },
  {
    key: 'w2',
    group: 'batch',
    title: 'W2²/dim',
    better: 'lower',
    decimals: 3,
    about:
      'Squared 2-Wasserstein distance between batches, columns standardised, per dimension, mean over pairs.',
    read: (row) => row.w2,
  },
  {
    key: 'probe-source',
    group: 'probe, source',
    title: 'bal. acc.',
    better: 'higher',
    decimals: 3,
    about:
      'A linear probe for the label, on held-out tiles of the batch it was trained on (balanced accuracy).',
    read: (row) => row.probe?.withinSource.balancedAccuracy,
  },
  {
    key: 'probe-unseen',
    group: 'probe, unseen batches',
    title: 'bal. acc.',
    better: 'higher',
    decimals: 3,
    about: 'The same probe on batches it never saw, mean over them. This is the number that matters.',
    // Tiles without a label are counted under the empty name; the probe leaves them out.
    chance: ({ labels }) => 1 / Object.keys(labels).filter(Boolean).length,
    read: (row) => row.probe?.unseenMean.balancedAccuracy,
  },
  {
    key: 'probe-unseen-auroc',
    group: 'probe, unseen batches',
    title: 'AUROC',
    better: 'higher',
    decimals: 3,
    about: 'Area under the ROC curve on the unseen batches: 0.5 is guessing, 1 is perfect.',
    read: (row) => row.probe?.unseenMean.auroc,
  },
  {
    key: 'probe-unseen-f1',
    group: 'probe, unseen batches',
    title: 'F1',
    better: 'higher',
    decimals: 3,
    about: 'Macro-averaged F1 on the unseen batches.',
    read: (row) => row.probe?.unseenMean.macroF1,
  },
];

/**
 * The table of one evaluation, or of several that differ only in the seed of the model: rows by name, a cell for each metric.
 * Columns that no row has (the probe's, without a label column) are left out.
 */
export function tabulate(evaluations: Evaluation | readonly Evaluation[]): EvaluationTable {
  const list: readonly Evaluation[] = isList(evaluations) ? evaluations : [evaluations];
  const first = list[0];
  if (first === undefined) return { columns: [], rows: [], seeds: 0 };
  const metrics = METRICS.filter((metric) => first.rows.some((row) => metric.read(row) !== undefined));
  const columns = metrics.map(({ read: _read, note, chance: chanceOf, ...column }) => {
    const chance = chanceOf?.(first) ?? null;
    return {
      ...column,
      chance,
      note: note?.(first) ?? (chance === null ? '' : `chance ${chance.toFixed(2)}`),
    };
  });
  const rows = first.rows.map(({ name }) => ({
    name,
    cells: metrics.map((metric) => {
      const values = list
        .map((evaluation) => evaluation.rows.find((row) => row.name === name))
        .map((row) => (row ? metric.read(row) : undefined))
        .filter((value) => value !== undefined);
      return values.length === 0 ? null : summarise(values);
    }),
  }));
  return { columns, rows, seeds: list.length };
}

function isList(value: Evaluation | readonly Evaluation[]): value is readonly Evaluation[] {
  return Array.isArray(value);
}

function summarise(values: number[]): MetricCell {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length === 1) return { mean, spread: null, values };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, spread: Math.sqrt(variance), values };
}

/** `0.412`, or `0.412 ±0.010` where there are several seeds and they differ. */
export function formatCell(cell: MetricCell | null, decimals: number): string {
  if (cell === null) return '–';
  if (!Number.isFinite(cell.mean)) return 'undefined';
  // -0.000 reads as a misprint.
  const text = cell.mean.toFixed(decimals).replace(/^-(0\.?0*)$/, '$1');
  return cell.spread === null || decimals === 0 ? text : `${text} ±${cell.spread.toFixed(decimals)}`;
}

/** Index of the row whose mean is better than every other's, or -1 where the column has no direction or there is a tie. */
export function bestRow(table: EvaluationTable, column: number): number {
  const better = table.columns[column]?.better ?? null;
  if (better === null || table.rows.length < 2) return -1;
  const goodness = (mean: number): number => {
    if (better === 'higher') return mean;
    return better === 'lower' ? -mean : -Math.abs(mean);
  };
  const values = table.rows.map((row) => goodness(row.cells[column]?.mean ?? Number.NaN));
  const top = Math.max(...values.filter(Number.isFinite));
  return values.filter((value) => value === top).length === 1 ? values.indexOf(top) : -1;
}
