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
export interface TileScores {
  /** Mahalanobis distance of the embedding z, in standard deviations. */
  distance: Float64Array;
  /** Mahalanobis distance of what the reconstruction leaves unexplained, whatever the stain. */
  reconstruction: Float64Array;
  /** Mahalanobis distance of the stain from what the manifold of stains reaches. */
  stain: Float64Array;
  /** The largest of the three, each in units of the 99th percentile of calibration tiles. */
  score: Float64Array;
  /** Share of the calibration rows that score at least as high: small is unlike the training tiles. Never 0. */
  p: Float64Array;
  /** p < level. */
  flagged: boolean[];
}

export interface FitOutliersOptions extends TileSelection, RuntimeOptions {
  /** model.safetensors or checkpoint.safetensors: rewritten with the statistics in it. */
  model: string;
  /** Tiles used at most, evenly spread over those given; at least 20 are needed. Default 400. */
  limit?: number;
  /** Strength of the manifold whose renderings count as known, 0 to 4. Default: the model's own, at least 2. */
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
