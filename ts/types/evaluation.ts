/** What evaluate takes and returns. */
import type { RuntimeOptions, TileSelection, UnreadableTile } from '../types.js';

export interface EvaluateOptions extends TileSelection, RuntimeOptions {
  /** model.safetensors or checkpoint.safetensors. Either this or `embeddings`. */
  model?: string;
  /**
   * Embeddings of any origin, a row of the table for each file, named after it: .h5 (dataset `features` or `feats`, as TRIDENT,
   * CLAM and STAMP write), .npy, .safetensors, .parquet (a list column, or a column for each dimension). Rows belong to the
   * manifest's by the file names that the file holds, else by order.
   */
  embeddings?: string | string[];
  /** Column that should not be readable from the embedding: site, scanner, lab. */
  batchColumn: string;
  /** Column that should be: the probes' classes. Optional. */
  labelColumn?: string;
  /** Column of patient or slide: no split cuts through one, and intervals resample whole ones. Optional. */
  groupColumn?: string;
  /** Column that is the same for the same tissue in several batches: retrieval across stains. Optional. */
  pairColumn?: string;
  /**
   * Value of batchColumn the probes are trained on. Default: the one that the model was trained on, as its provenance says;
   * with `embeddings` there is none, and a label column needs it.
   */
  source?: string;
  /** Rows beside the model; with `embeddings` there are none. Default both. */
  baselines?: ('colour' | 'untrained')[];
  /** Neighbours, 1 to 10,000. Default 15. */
  k?: number;
  /** Resamples behind every interval, 100 to 100,000. Default 1000. */
  resamples?: number;
  /** Permutations behind the p-value of `permanova`, 0 to 100,000; 0: no p-value. Default 199. */
  permutations?: number;
  /** Seed of the untrained encoder, splits, resamples, permutations and k-means. Default 1. */
  seed?: number;
  batchSize?: number;
  onProgress?: (progress: { stage: string; done: number; total: number }) => void;
}

/** A 95 % percentile interval over resamples of whole patients or slides. */
export type Interval = [low: number, high: number];

/**
 * How far the batches stand apart, and what probes reach. One row of the table. Columns are standardised by the source
 * batch's mean and deviation first, in every row alike (by all tiles' where no source is known).
 */
export interface EvaluationRow {
  name: 'colour statistics' | 'untrained encoder' | 'trained encoder' | (string & {});
  dimensions: number;
  /** Silhouette by batch, -1 to 1; 0 is mixed. */
  silhouette: { euclidean: number; cosine: number };
  /** Balanced accuracy of reading the batch from the k nearest neighbours. */
  batchKnn: number;
  /**
   * The same from the k nearest of other groups than the tile's own: tiles of one slide resemble each other for more than their
   * stain. With a group column, where every batch holds two groups at least; a group may lie in several batches, a tile without
   * one is a group by itself. A group left out that lies in one batch takes tiles of that batch alone: where batches hold few,
   * guessing reaches less than `batchKnnChance`.
   */
  batchKnnOtherGroups?: number;
  /** What guessing reaches: 1 / batches. */
  batchKnnChance: number;
  /** 1 to batches. */
  lisi: number;
  /** Share of neighbourhoods whose batches differ from those of all tiles (chi-square at 0.05); mixed: about 0.05; apart: 1. */
  kbet: number;
  /** Share of the variance that lies between batches, 0 to 1, and whether chance would leave as much. */
  permanova: PermanovaScore;
  /** Mean over pairs of batches of squared 2-Wasserstein distance, per dimension. */
  w2: number;
  /** Adjusted Rand index of k-means clusters (as many as there are values) against batches and labels. */
  ari: { batch: RandScore; label: RandScore | null };
  /** With a pair column. */
  retrieval?: RetrievalScore;
  /** Logistic regression. */
  probe?: LinearProbeResult;
  /** Ridge regression. */
  ridgeProbe?: LinearProbeResult;
  /** The k nearest training tiles, classes balanced. */
  knnProbe?: ProbeResult;
}

export interface PermanovaScore {
  /** SS_between / SS_total. */
  r2: number;
  /** Pseudo-F. */
  f: number;
  /** Share of permutations that reach it; NaN without permutations. */
  p: number;
  permutations: number;
  /** What was permuted: the group column where each group lies within a batch, else `tile`. */
  unit: string;
}

export interface RandScore {
  value: number;
  interval: Interval | null;
}

/** Each tile asks for the same tissue among all tiles of another batch. */
export interface RetrievalScore extends RetrievalHits {
  /** What guessing reaches at top 1. */
  chance: number;
  /** From batches other than the source to batches other than the source; null where that is nothing. */
  unseen: RetrievalHits | null;
  between: (RetrievalHits & { from: string; to: string })[];
}

export interface RetrievalHits {
  queries: number;
  /** Share whose nearest tile is the one asked for, and is among the nearest five. Ties count against it. */
  top1: number;
  top5: number;
}

/** A probe that is trained on the source batch, classes balanced. */
export interface ProbeResult {
  source: string;
  /** Held-out groups of the source. */
  withinSource: ProbeScore;
  /** Each batch never trained on. */
  unseen: Record<string, ProbeScore>;
  /** Mean over the unseen batches. */
  unseenMean: ProbeScore;
}

export interface LinearProbeResult extends ProbeResult {
  /**
   * L2 penalty: the strongest within one standard error of the best in cross-validation over the groups of the source's training
   * part.
   */
  penalty: number;
}

export interface ProbeScore {
  tiles: number;
  /** Groups that the intervals resample; tiles where there is no group column. */
  clusters: number;
  balancedAccuracy: number;
  macroF1: number;
  /** Two classes: of the second; more: mean of one-versus-rest. */
  auroc: number;
  /** Null where there are fewer than two clusters to resample. */
  intervals: { balancedAccuracy: Interval; macroF1: Interval; auroc: Interval } | null;
}

export interface Evaluation {
  batchColumn: string;
  labelColumn: string | null;
  batches: Record<string, number>;
  labels: Record<string, number>;
  /** The batch that the probes are trained on and columns are standardised by. */
  source: string | null;
  /** Behind the intervals. unit: the group column, or `tile`, whose intervals are too narrow where tiles share a slide. */
  bootstrap: { resamples: number; unit: string };
  rows: EvaluationRow[];
  /** First two principal components by row name, [x0, y0, x1, y1, ...], tiles in manifest order. For pictures. */
  scatter: Record<string, Float64Array>;
  /** Per tile, in manifest order. */
  tiles: { file: string; batch: string; label: string | null }[];
  unreadable: UnreadableTile[];
}
