import type { Evaluation, EvaluationRow, Interval } from '../types.js';

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
  /** What it tells: how mixed the batches are, or what of the tissue is found again. */
  block: 'invariance' | 'transfer';
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
  /** 95 %, of a single evaluation; null where the metric has none. */
  interval: Interval | null;
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
  interval?: (row: EvaluationRow) => Interval | null | undefined;
}

/** Guessing a label. Tiles without one are counted under the empty name; the probes leave them out. */
const labelChance = ({ labels }: Evaluation): number => 1 / Object.keys(labels).filter(Boolean).length;
const unseenScore =
  (kind: 'probe' | 'ridgeProbe' | 'knnProbe', metric: 'balancedAccuracy' | 'auroc' | 'macroF1') =>
  (row: EvaluationRow) =>
    row[kind]?.unseenMean[metric];
const unseenInterval =
  (kind: 'probe' | 'ridgeProbe' | 'knnProbe', metric: 'balancedAccuracy' | 'auroc' | 'macroF1') =>
  (row: EvaluationRow) =>
    row[kind]?.unseenMean.intervals?.[metric];

const METRICS: readonly Metric[] = [
  {
    key: 'dimensions',
    block: 'invariance',
    group: '',
    title: 'dims',
    better: null,
    decimals: 0,
    about: 'Numbers that describe one tile.',
    read: (row) => row.dimensions,
  },
  {
    key: 'silhouette-cosine',
    block: 'invariance',
    group: 'silhouette',
    title: 'cos',
    better: 'nearer zero',
    decimals: 3,
    about: 'How far the batches form clusters of their own, by angle, -1 to 1: 0 is mixed, 1 is apart.',
    read: (row) => row.silhouette.cosine,
  },
  {
    key: 'silhouette-euclidean',
    block: 'invariance',
    group: 'silhouette',
    title: 'eucl',
    better: 'nearer zero',
    decimals: 3,
    about: 'The same by straight-line distance.',
    read: (row) => row.silhouette.euclidean,
  },
  {
    key: 'batch-knn',
    block: 'invariance',
    group: 'neighbours',
    title: 'k-NN',
    better: 'lower',
    decimals: 3,
    about:
      "How often a tile's neighbours give its batch away (balanced accuracy). Guessing reaches the chance stated.",
    chance: ({ batches }) => 1 / Object.keys(batches).length,
    read: (row) => row.batchKnn,
  },
  {
    key: 'batch-knn-other-groups',
    block: 'invariance',
    group: 'neighbours',
    title: 'other',
    better: 'lower',
    decimals: 3,
    about:
      "The same from neighbours of other groups (slides, patients) than the tile's own: what reads the batch, not the slide.",
    chance: ({ batches }) => 1 / Object.keys(batches).length,
    read: (row) => row.batchKnnOtherGroups,
  },
  {
    key: 'lisi',
    block: 'invariance',
    group: 'neighbours',
    title: 'LISI',
    better: 'higher',
    decimals: 2,
    about: 'The effective number of batches among neighbours: 1 is apart, the number of batches is mixed.',
    note: ({ batches }) => `1 to ${Object.keys(batches).length}`,
    read: (row) => row.lisi,
  },
  {
    key: 'kbet',
    block: 'invariance',
    group: 'neighbours',
    title: 'kBET',
    better: 'lower',
    decimals: 3,
    about:
      'Share of neighbourhoods whose batches a chi-square test tells from those of all tiles: 0.05 is mixed, 1 is apart.',
    note: () => 'mixed 0.05',
    read: (row) => row.kbet,
  },
  {
    key: 'permanova',
    block: 'invariance',
    group: 'clouds',
    title: 'R²',
    better: 'lower',
    decimals: 3,
    about: 'Share of the variance that lies between batches (PERMANOVA).',
    read: (row) => row.permanova.r2,
  },
  {
    key: 'w2',
    block: 'invariance',
    group: 'clouds',
    title: 'W2²',
    better: 'lower',
    decimals: 3,
    about:
      'Squared 2-Wasserstein distance between batches, columns standardised, per dimension, mean over pairs.',
    read: (row) => row.w2,
  },
  {
    key: 'ari-batch',
    block: 'invariance',
    group: 'clouds',
    title: 'ARI',
    better: 'lower',
    decimals: 3,
    about:
      'Adjusted Rand index of k-means clusters against the batches: 0 is chance, 1 is the same partition.',
    read: (row) => row.ari.batch.value,
    interval: (row) => row.ari.batch.interval,
  },
  {
    key: 'probe-source',
    block: 'transfer',
    group: 'source',
    title: 'acc.',
    better: 'higher',
    decimals: 3,
    about:
      'A linear probe for the label, on held-out tiles of the batch it was trained on (balanced accuracy).',
    read: (row) => row.probe?.withinSource.balancedAccuracy,
    interval: (row) => row.probe?.withinSource.intervals?.balancedAccuracy,
  },
  {
    key: 'probe-unseen',
    block: 'transfer',
    group: 'probe, unseen batches',
    title: 'acc.',
    better: 'higher',
    decimals: 3,
    about:
      'The same probe on batches it never saw (balanced accuracy), mean over them. This is the number that matters.',
    chance: labelChance,
    read: unseenScore('probe', 'balancedAccuracy'),
    interval: unseenInterval('probe', 'balancedAccuracy'),
  },
  {
    key: 'probe-unseen-auroc',
    block: 'transfer',
    group: 'probe, unseen batches',
    title: 'AUROC',
    better: 'higher',
    decimals: 3,
    about: 'Area under the ROC curve on the unseen batches: 0.5 is guessing, 1 is perfect.',
    read: unseenScore('probe', 'auroc'),
    interval: unseenInterval('probe', 'auroc'),
  },
  {
    key: 'probe-unseen-f1',
    block: 'transfer',
    group: 'probe, unseen batches',
    title: 'F1',
    better: 'higher',
    decimals: 3,
    about: 'Macro-averaged F1 on the unseen batches.',
    read: unseenScore('probe', 'macroF1'),
    interval: unseenInterval('probe', 'macroF1'),
  },
  {
    key: 'ridge-unseen',
    block: 'transfer',
    group: 'other',
    title: 'ridge',
    better: 'higher',
    decimals: 3,
    about: 'Balanced accuracy on the unseen batches of a ridge regression instead of a logistic one.',
    read: unseenScore('ridgeProbe', 'balancedAccuracy'),
    interval: unseenInterval('ridgeProbe', 'balancedAccuracy'),
  },
  {
    key: 'knn-unseen',
    block: 'transfer',
    group: 'other',
    title: 'k-NN',
    better: 'higher',
    decimals: 3,
    about: 'The same of a vote of the nearest training tiles.',
    read: unseenScore('knnProbe', 'balancedAccuracy'),
    interval: unseenInterval('knnProbe', 'balancedAccuracy'),
  },
  {
    key: 'ari-label',
    block: 'transfer',
    group: 'other',
    title: 'ARI',
    better: 'higher',
    decimals: 3,
    about: 'Adjusted Rand index of k-means clusters against the labels: what shows without any training.',
    read: (row) => row.ari.label?.value,
    interval: (row) => row.ari.label?.interval,
  },
  {
    key: 'retrieval-top1',
    block: 'transfer',
    group: 'retrieval',
    title: 'top 1',
    better: 'higher',
    decimals: 3,
    about: 'How often the nearest tile of another batch is the same tissue.',
    read: (row) => row.retrieval?.top1,
  },
  {
    key: 'retrieval-top5',
    block: 'transfer',
    group: 'retrieval',
    title: 'top 5',
    better: 'higher',
    decimals: 3,
    about: 'How often it is among the nearest five.',
    read: (row) => row.retrieval?.top5,
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
  const columns = metrics.map(({ read: _read, interval: _interval, note, chance: chanceOf, ...column }) => {
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
      const found = list
        .map((evaluation) => evaluation.rows.find((row) => row.name === name))
        .filter((row) => row !== undefined && metric.read(row) !== undefined) as EvaluationRow[];
      const [only] = found;
      if (only === undefined) return null;
      const interval = list.length === 1 ? (metric.interval?.(only) ?? null) : null;
      return { ...summarise(found.map((row) => metric.read(row) as number)), interval };
    }),
  }));
  return { columns, rows, seeds: list.length };
}

function isList(value: Evaluation | readonly Evaluation[]): value is readonly Evaluation[] {
  return Array.isArray(value);
}

function summarise(values: number[]): Omit<MetricCell, 'interval'> {
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
