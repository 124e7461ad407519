/** Out-of-distribution scores: types. */
import type { RuntimeOptions, TileSelection, UnreadableTile } from '../types.js';

export interface ScoreOptions {
  /** A tile is flagged where its p-value is below this, 0 to 1. Default 0.01. */
  level?: number;
  signal?: AbortSignal;
  /** Called after each batch with the tiles done. */
  onProgress?: (done: number) => void;
  /** Called for each tile that cannot be decoded, which is then left out of the result. Without it such a tile rejects the call. */
  onUnreadable?: (index: number, reason: string) => void;
}

/** How unlike the training tiles each tile is. Entries are in the order of the tiles. */
/** What a score is made of. */
export type ScorePart = 'embedding' | 'reconstruction' | 'stain' | 'density' | 'blur';

export interface TileScores {
  /** Mahalanobis distance of the embedding z, in standard deviations. */
  distance: Float64Array;
  /** Mahalanobis distance of what the reconstruction leaves unexplained, whatever the stain. */
  reconstruction: Float64Array;
  /** Mahalanobis distance of the stained places' colours: ink, another stain. NaN for less than 1/16 of tissue. */
  stain: Float64Array;
  /** log of how much denser than the middle the densest places are, in every channel: a fold. NaN for less than 1/16 of tissue. */
  density: Float64Array;
  /** log of coarse over fine detail: out of focus. NaN for less than 1/16 of tissue. */
  blur: Float64Array;
  /** The largest of the five, 0 at the median and 1 at the 99th percentile of the calibration tiles. */
  score: Float64Array;
  /** Which of the five is the largest. */
  part: ScorePart[];
  /** Share of the calibration rows that score at least as high: small is unlike the training tiles. Never 0. */
  p: Float64Array;
  /** p < level. */
  flagged: boolean[];
}

export interface FitOutliersOptions extends TileSelection, RuntimeOptions {
  /** model.safetensors or checkpoint.safetensors: rewritten with the statistics in it. */
  model: string;
  /** Tiles used at most, drawn from those given, the same in every call; at least 20 are needed. Default 400. */
  limit?: number;
  /** Strength of the manifold whose renderings count as known, 0 to 4. Default 0.6. */
  strength?: number;
  batchSize?: number;
  onProgress?: (done: number, total: number) => void;
}

export interface FitOutliersResult {
  model: string;
  /** Tiles that gave the statistics, calibration included. */
  tiles: number;
  unreadable: UnreadableTile[];
}
