/** Types of the benchmark: the evidence protocol, its rows, and what came out. docs/benchmark.md is the guide. */
import type { Device, EvaluationRow, Precision, RuntimeOptions, TrainOptions } from '../types.js';

/**
 * A row of the table.
 * - `colour`, `untrained`: references, not trained: statistics of a tile's colours; the encoder with random weights.
 * - `none`: the autoencoder: same encoder, reconstruction alone, tiles as they are.
 * - `reinhard`, `macenko`, `vahadane`, `histogram`: tiles normalised to the source, then the autoencoder.
 * - `hed-jitter`, `randstainna`: the autoencoder with that augmentation; it must still return the plain tile.
 * - `cyclegan`, `staingan`: tiles translated to the source by a network that has seen images of the target sites, then the autoencoder.
 * - `lmc`, and LMC without one of its terms, or with the cross-correlation in place of the contrastive compaction.
 */
export type BenchmarkRow =
  | 'colour'
  | 'untrained'
  | 'none'
  | 'reinhard'
  | 'macenko'
  | 'vahadane'
  | 'histogram'
  | 'hed-jitter'
  | 'randstainna'
  | 'cyclegan'
  | 'staingan'
  | 'lmc'
  | 'lmc-no-compaction'
  | 'lmc-no-adversary'
  | 'lmc-no-decoder'
  | 'lmc-cross-correlation';

/** Options of `train` that a benchmark leaves open. Tiles, folders, seeds and the device are its own. */
export type BenchmarkTraining = Omit<
  TrainOptions,
  'tiles' | 'where' | 'strict' | 'out' | 'tileSize' | 'seed' | 'resume' | 'onProgress' | keyof RuntimeOptions
>;

/** What a config file holds. Paths in a file are relative to it. */
export interface BenchmarkConfig {
  /** CSV manifest with a `file` column and the columns named below. */
  manifest: string;
  /** Folder for models, embeddings, normalised tiles, results.json, table.md and report.html. Created. */
  out: string;
  /** Column that should not be readable from the embedding: site, scanner, lab. */
  batchColumn: string;
  /** The one value of batchColumn that everything is trained on. */
  source: string;
  /** Column that should be readable: the classes of the probe. Without it there is no probe. */
  labelColumn?: string;
  /** Column of patient or slide: neither the probe's split nor the bootstrap cuts through one. */
  groupColumn?: string;
  /** Keep the manifest's rows with these values. */
  where?: Record<string, string>;
  /** Side in pixels, a multiple of 32 from 32 to 1024. Default: the first tile's of the source, rounded down. */
  tileSize?: number;
  /** Default: all of them. */
  rows?: BenchmarkRow[];
  /** Each row is trained once for each. Default [1, 2, 3]. */
  seeds?: number[];
  /** Training options of every row alike: epochs, batchSize, size, latent, learningRate... Default: those of `train`. */
  budget?: BenchmarkTraining;
  /** Further training options of LMC and its ablations: weights, temperature, views, manifold... */
  lmc?: BenchmarkTraining;
  /** Further training options of single rows, by name. */
  options?: Partial<Record<BenchmarkRow, BenchmarkTraining>>;
  /** Options of the normalisers, by name. */
  normalizers?: Partial<Record<'reinhard' | 'macenko' | 'vahadane' | 'histogram', Record<string, unknown>>>;
  /** Source tiles that a normaliser is fitted to, evenly drawn. Default 256. */
  fitTiles?: number;
  /**
   * Options of the translation networks (`cyclegan`, `staingan`): epochs (200), batchSize (4), width (64), blocks (6, and 9 from 256 px on),
   * judgeWidth, judgeLayers (3), learningRate (2e-4), constant (0.5), cycle (10), identity (0.5 and 0), geometry, cacheBytes.
   */
  gan?: Record<string, unknown>;
  /** A translator for each seed; false: one, of the first seed, for all of them. Default true. */
  translatorPerSeed?: boolean;
  evaluation?: {
    /** Neighbours. Default 15. */
    k?: number;
    /** Draws of the bootstrap behind each interval. Default 1000. */
    bootstrap?: number;
  };
}

export interface BenchmarkOptions extends BenchmarkConfig, RuntimeOptions {
  /** False: nothing is run; results, table and report are rebuilt from what is in `out`. Default true. */
  run?: boolean;
  /** Called often while something runs. */
  onProgress?: (progress: BenchmarkProgress) => void;
  /** Called as each run of a row and a seed ends, well or badly, or is found done. */
  onRun?: (run: BenchmarkRun, progress: BenchmarkCount) => void;
}

export interface BenchmarkCount {
  /** Runs that are over, of all that were asked for. */
  done: number;
  total: number;
  /** Estimate for the rest; null while nothing is known. */
  secondsLeft: number | null;
}

export interface BenchmarkProgress extends BenchmarkCount {
  row: BenchmarkRow;
  seed: number;
  stage: 'tiles' | 'translator' | 'training' | 'embedding' | 'scoring';
  /** Of the stage, 0 to 1. */
  part: number;
}

/** How far the sites of some tiles stand apart. Columns are standardised by the source's mean and deviation first. */
export interface BenchmarkSiteScores {
  sites: number;
  /** -1 to 1; 0 is mixed. */
  silhouette: { euclidean: number; cosine: number };
  /** Balanced accuracy of reading the site from the nearest neighbours. */
  knn: number;
  /**
   * The same from the nearest neighbours of other groups than the tile's own. With a group column, where every site holds two
   * groups at least; see `batchKnnOtherGroups` of an evaluation.
   */
  knnOtherGroups?: number;
  /** 1 / sites. */
  chance: number;
  /** 1 to `sites`; more is mixed. */
  lisi: number;
  /** Share of neighbourhoods whose sites differ from those of all tiles; mixed: about 0.05, apart: 1. */
  kbet: number;
  /** Mean over pairs of sites of the squared 2-Wasserstein distance, per dimension. */
  w2: number;
  /** Share of the variance that the site explains (PERMANOVA's R2), 0 to 1. */
  varianceExplained: number;
}

export interface BenchmarkScores {
  dimensions: number;
  /** Over every site. */
  all: BenchmarkSiteScores;
  /** Over the sites never trained on; null where there are fewer than two. */
  unseen: BenchmarkSiteScores | null;
  /** Null without a label column. */
  probe: NonNullable<EvaluationRow['probe']> | null;
  /** The ridge and k-NN probes of `evaluate`, in results.json only. */
  ridgeProbe?: NonNullable<EvaluationRow['ridgeProbe']>;
  knnProbe?: NonNullable<EvaluationRow['knnProbe']>;
  /** 1 / classes. */
  probeChance: number | null;
}

/** One row with one seed. */
export interface BenchmarkRun {
  row: BenchmarkRow;
  seed: number;
  status: 'done' | 'failed' | 'missing';
  /** Why it failed. */
  error?: { code: string | null; message: string };
  /** Wall clock. `tiles` is normalising or translating, shared by the seeds where it does not depend on them. */
  seconds?: { tiles: number; training: number; embedding: number; scoring: number };
  /** Of a normaliser: how many tiles came out how (`ok`, `clamped`; `little-tissue` and `weak-stain` stay as they are). */
  statuses?: Readonly<Record<string, number>>;
  scores?: BenchmarkScores;
}

/** Over the seeds. */
export interface BenchmarkSummary {
  mean: number;
  /** Standard deviation (n - 1); null with one seed. */
  deviation: number | null;
  /** In the order of `seeds`. */
  values: number[];
  seeds: number[];
  /** The 95 % bootstrap interval, clustered by group, averaged over the seeds. Where the metric has one. */
  interval?: [low: number, high: number];
}

export interface BenchmarkRowResult {
  row: BenchmarkRow;
  title: string;
  /** It was given images of the sites that the others never saw. */
  needsTargetImages: boolean;
  /** By metric; see `metrics`. */
  summary: Record<string, BenchmarkSummary>;
  /** How far above chance the unseen sites are read, as a multiple of the autoencoder's; null where that is not defined. */
  aboveChanceRatio: number | null;
  /** Mean over the seeds, whole runs. */
  seconds: number | null;
  done: number;
  failed: number;
}

/** LMC against another row, seed by seed. Positive: LMC is better. */
export interface BenchmarkComparison {
  row: BenchmarkRow;
  metric: string;
  difference: BenchmarkSummary;
  /** LMC is better (1), or worse (-1), with every seed, and there are two at least; else 0. */
  everySeed: -1 | 0 | 1;
  /** With every seed LMC's interval lies beyond the other's; null where the metric has none. */
  intervalsPart: boolean | null;
}

export interface BenchmarkClaim {
  name:
    | 'site-readability'
    | 'site-readability-other-slides'
    | 'silhouette'
    | 'transfer'
    | 'ablations'
    | 'complete';
  /** Null: cannot be told from what is there. */
  holds: boolean | null;
  text: string;
}

export interface BenchmarkResults {
  format: 'stainfold-benchmark';
  formatVersion: 1;
  /** As given, without paths. */
  config: Omit<BenchmarkConfig, 'manifest' | 'out'>;
  /** SHA-256 over names, sizes and labels of the tiles. */
  dataDigest: string;
  tileSize: number;
  /** Tiles by site, and by label. */
  sites: Record<string, number>;
  labels: Record<string, number>;
  versions: { stainfold: string; libtorch: string; node: string };
  machine: {
    cpu: string;
    cores: number;
    memoryBytes: number;
    platform: string;
    device: Device | string;
    precision: Precision | string;
  };
  created: string;
  /** Sum over all runs. */
  seconds: number;
  metrics: {
    key: string;
    title: string;
    better: 'higher' | 'lower' | 'nearer zero';
    about: string;
    chance: number | null;
  }[];
  rows: BenchmarkRowResult[];
  comparisons: BenchmarkComparison[];
  claims: BenchmarkClaim[];
  runs: BenchmarkRun[];
}

export interface BenchmarkResult {
  results: BenchmarkResults;
  /** Paths. */
  files: { results: string; table: string; report: string };
  failed: BenchmarkRun[];
}
