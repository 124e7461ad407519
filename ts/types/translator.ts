/** Types of the translators between two sites: the benchmark's generative baselines. */
import type { RuntimeOptions } from '../types.js';

/** `cyclegan`: with identity terms (Zhu et al. 2017). `staingan`: without (Shaban et al. 2019). See docs/method.md. */
export type TranslatorVariant = 'cyclegan' | 'staingan';

export interface TranslatorOptions extends RuntimeOptions {
  /** Folder of the run: model.safetensors, checkpoint.safetensors, metrics.jsonl. Created. */
  out: string;
  /** Default `cyclegan`. */
  variant?: TranslatorVariant;
  /** Side in pixels, a multiple of 32 from 32 to 1024; other tiles are resized and centre-cropped. */
  tileSize: number;
  /** Passes over the larger of the two sites. Default 200. */
  epochs?: number;
  /** Tiles of each site in a step, 2 to 4096. Default 4. */
  batchSize?: number;
  /** Channels of the generators' first layer, 1 to 512. Default 64. */
  width?: number;
  /** Residual blocks of the generators, 1 to 64. Default 6, and 9 from 256 px on. */
  blocks?: number;
  /** Channels of the judges' first layer, 1 to 512. Default: `width`. */
  judgeWidth?: number;
  /** Strided layers of the judges, 1 to 8: patches of 16, 34, 70, 142 px for 1 to 4. Default 3. */
  judgeLayers?: number;
  /** Default 2e-4. */
  learningRate?: number;
  /** Share of all steps after which the learning rate falls linearly to 0, 0 to 1. Default 0.5. */
  constant?: number;
  /** Weight of the cycle terms, >= 0. Default 10. */
  cycle?: number;
  /** Weight of the identity terms, times `cycle`, >= 0. Default: 0.5 for `cyclegan`, 0 for `staingan`. */
  identity?: number;
  /** Rotations by 90 degrees and flips. Default true. */
  geometry?: boolean;
  /** Integer >= 0. Same seed, tiles, device and versions: same bytes. Default 1. */
  seed?: number;
  /** Reject instead of skipping unreadable tiles. Default false. */
  strict?: boolean;
  /** Steps between checkpoints. Default: one epoch. */
  checkpointEvery?: number;
  /** Continue the run in `out` from its checkpoint. Default false. */
  resume?: boolean;
  /** Decoded tiles kept in memory between epochs, bytes, for each site. Default 256 MiB. */
  cacheBytes?: number;
  onProgress?: (progress: TranslatorProgress) => void;
}

/** One step. Terms are before weighting, the sums of both directions. */
export interface TranslatorProgress {
  step: number;
  steps: number;
  /** 1-based. */
  epoch: number;
  epochs: number;
  learningRate: number;
  /** Of the generators. */
  loss: number;
  adversarial: number;
  /** Mean absolute difference of what went there and back, images in -1 to 1. */
  cycle: number;
  identity: number;
  /** Loss of the judges, the mean of both; 0.25 is a judge that cannot tell. */
  judge: number;
  gradientNorm: number;
  judgeGradientNorm: number;
  tilesPerSecond: number;
}

export interface TranslatorResult {
  model: string;
  checkpoint: string;
  steps: number;
  seconds: number;
  last: TranslatorProgress;
}

export interface TranslateOptions extends RuntimeOptions {
  /** Whose appearance the tiles get. Default `source`. */
  to?: 'source' | 'target';
  /** Side in pixels, a multiple of 4, 8 at least. Default: that of training. Keep the scale of training: pixels of the same size. */
  tileSize?: number;
  /** Default 16. */
  batchSize?: number;
  /** Tiles done. */
  onProgress?: (done: number) => void;
  /** Without it an unreadable tile is an error; with it, it is skipped. */
  onUnreadable?: (index: number, reason: string) => void;
}
