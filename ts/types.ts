/** Public types. Shapes, units, ranges and defaults stand at each field; docs/api.md is the guide. */

import type { AttributeOptions, TileAttribution } from './types/attribution.js';
import type { Manifold, ManifoldScaled, StainSpreads } from './types/manifold.js';
import type { ScoreOptions, TileScores } from './types/outliers.js';
import type { Profiler } from './types/profile.js';
import type { Slide } from './types/slide.js';
import type { EmbedSlideOptions, SlideChunk } from './types/slide-features.js';

export type * from './types/attribution.js';
export type * from './types/audit.js';
export type * from './types/evaluation.js';
export type * from './types/export.js';
export type * from './types/outliers.js';
export type * from './types/pack.js';
export type * from './types/profile.js';

/** `auto`: the first CUDA device, else the CPU. `cuda` that cannot be had is an error, never a silent CPU. */
export type Device = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`;
/** `auto`: bf16 on CUDA where supported, else fp32. */
export type Precision = 'auto' | 'fp32' | 'bf16' | 'fp16';
/** tiny about 1 M, small about 6 M, base about 25 M parameters (encoder). */
export type ModelSize = 'tiny' | 'small' | 'base';

/** Decoded pixels, row by row, `channels` interleaved: grey, RGB or RGBA, 8 bits. */
export interface RawTile {
  data: Uint8Array;
  width: number;
  height: number;
  channels: 1 | 3 | 4;
}
/** A tile: the path of an image file, an encoded image (JPEG, PNG, TIFF, WebP), or decoded pixels. */
export type TileInput = string | Uint8Array | RawTile;

/** Embeddings of N tiles, row-major. */
export interface Embeddings {
  data: Float32Array;
  shape: [tiles: number, dimensions: number];
}

/** Where libraries and cores come from; accepted by every entry point that needs the native core. */
export interface RuntimeOptions {
  /** Default `auto`. */
  device?: Device;
  /** Default `auto`. */
  precision?: Precision;
  /** Threads of the native core on the CPU. Default: the cores there are. Process-wide. */
  threads?: number;
  /** Folder of LibTorch. Default: LIBTORCH, then the user cache, then Python's torch if LIBTORCH_USE_PYTORCH=1. */
  libtorch?: string;
  signal?: AbortSignal;
}

/** Which tiles: a folder, a CSV manifest with a `file` column and any label columns, or a pack of either (`packTiles`). */
export interface TileSelection {
  /** Folder (searched recursively), CSV manifest, or pack. */
  tiles: string;
  /** Keep the rows whose columns have these values: `{ site: 'UMCU' }`. Needs a manifest. */
  where?: Record<string, string>;
  /** Reject instead of skipping unreadable tiles. Default false. */
  strict?: boolean;
}

/** The prior of virtual labs of haematoxylin and eosin, the default kind; see docs/method.md. */
export interface ManifoldOptions extends StainSpreads, Pick<ManifoldScaled, 'jitter' | 'stain'> {
  /** Default `he`. */
  kind?: 'he';
  /** Virtual labs, 1 to 4096. Default 64. */
  labs?: number;
  /** Multiplies every between-lab spread of the prior, 0 to 4. Default 1.5; 1 spans the labs of three public data sets. */
  strength?: number;
  /** Rotations by 90 degrees and flips, shared by a tile's views. Default true. */
  geometry?: boolean;
}

/** Weights of the objective's terms, each >= 0. */
export interface LossWeights {
  /** Default 1. */
  compaction?: number;
  /** Default 0.1. */
  scatter?: number;
  /** Default 1. */
  reconstruction?: number;
  /** Default 0.3. */
  adversarial?: number;
}

export interface TrainOptions extends TileSelection, RuntimeOptions {
  /** Folder of the run: model.safetensors, checkpoint.safetensors, metrics.jsonl. Created. */
  out: string;
  /** Default `tiny`. */
  size?: ModelSize;
  /** Dimensions of the embedding, 8 to 4096. Default: the size's own. */
  latent?: number;
  /** Side in pixels, a multiple of 32 from 32 to 1024; other tiles are resized and centre-cropped. Default: the first tile's, rounded down. */
  tileSize?: number;
  /** Default 30. */
  epochs?: number;
  /** Tiles a step, 2 to 4096. Default 32. */
  batchSize?: number;
  /** Renderings of each tile in a step, 2 to 16. Default 2. */
  views?: number;
  /** Each view of a tile is flipped and rotated by 90 degrees on its own. Default true. */
  viewTurn?: boolean;
  /** Each view shows its own part of the tile, whose side is this share of the tile's at least, 0.2 to 1. Default 1: all of it. */
  viewCrop?: number;
  /** Peak learning rate. Default 1e-3. */
  learningRate?: number;
  /** Default 0.05. */
  weightDecay?: number;
  /** Share of all steps spent warming up, 0 to 0.5. Default 0.05. */
  warmup?: number;
  /** Gradient norm limit, 0 = off. Default 1. */
  clipNorm?: number;
  /** Temperature of the contrastive compaction, 0.01 to 10. Default 0.07. */
  temperature?: number;
  /** Default `contrastive`. */
  compaction?: 'contrastive' | 'cross-correlation';
  weights?: LossWeights;
  /** One kind, or a list of them for tiles of several stains: `stainColumn` then says which tile has which. */
  manifold?: Manifold | Manifold[];
  /** Manifest column whose values are the `stain` of the manifolds in the list. */
  stainColumn?: string;
  /** Manifest column of real labs (slide, scanner, site): they join the virtual ones for the discriminator. */
  labColumn?: string;
  /** Manifest column: different tiles of one value are not pushed apart (overlapping or neighbouring tiles). */
  groupColumn?: string;
  /** Integer >= 0. Same seed, tiles, device and versions: same bytes. Default 1. */
  seed?: number;
  /** Steps between checkpoints. Default: one epoch. */
  checkpointEvery?: number;
  /** Continue the run in `out` from its checkpoint. Default false. */
  resume?: boolean;
  /**
   * Decoded tiles kept in memory between epochs, bytes. Default: a quarter of the memory that is free at the start, 4 GiB at
   * most. Tiles of a pack are not kept: the system does that.
   */
  cacheBytes?: number;
  /** Sees where the time goes; from `createProfiler()`. On a GPU each stage is then waited for, which costs some speed. */
  profile?: Profiler;
  onProgress?: (progress: TrainProgress) => void;
}

/** One training step, as reported. Loss terms are before weighting. */
export interface TrainProgress {
  /** Steps done of `steps`, over the whole run. */
  step: number;
  steps: number;
  /** 1-based. */
  epoch: number;
  epochs: number;
  learningRate: number;
  loss: number;
  compaction: number;
  /** tr(S_within) / tr(S_total), 0 to 1: the compaction ratio. */
  scatter: number;
  reconstruction: number;
  adversarial: number;
  /** Accuracy of the lab discriminator, 0 to 1, and what guessing reaches. */
  discriminatorAccuracy: number;
  discriminatorChance: number;
  gradientNorm: number;
  /** Effective rank of z; near 1 is a collapse. */
  rank: number;
  tilesPerSecond: number;
}

export interface UnreadableTile {
  file: string;
  reason: string;
}

export interface TrainResult {
  /** Path of model.safetensors: what loadEncoder takes. */
  model: string;
  /** Path of checkpoint.safetensors: what resume takes. */
  checkpoint: string;
  steps: number;
  tiles: number;
  seconds: number;
  last: TrainProgress;
  unreadable: UnreadableTile[];
}

export interface EncoderOptions extends RuntimeOptions {
  /** Tiles a native call at most, 1 to 4096; concurrent `embed` calls share them. Default 32. */
  batchSize?: number;
  /**
   * Milliseconds, 0 to 60000, that tiles of `embed` calls may wait for others while the encoder is idle, so that batches fill.
   * Default 0: what waits is batched, and nothing waits for what may come.
   */
  maxWaitMs?: number;
}

export interface EmbedOptions {
  signal?: AbortSignal;
  /** Called after each batch with the tiles done. */
  onProgress?: (done: number) => void;
  /** Called for each tile that cannot be decoded, which is then left out of the result. Without it such a tile rejects the call. */
  onUnreadable?: (index: number, reason: string) => void;
  /** Sees where the time goes; from `createProfiler()`. */
  profile?: Profiler;
}

/** What a checkpoint says of itself. */
export interface ModelInfo {
  format: 'stainfold';
  formatVersion: 1;
  kind: 'model' | 'checkpoint';
  size: ModelSize;
  latent: number;
  tileSize: number;
  /** Parameters of the encoder. */
  parameters: number;
  provenance: {
    stainfold: string;
    libtorch: string;
    seed: number;
    /** SHA-256 over the sorted tile names, sizes and labels trained on. */
    dataDigest: string;
    tiles: number;
    where: Record<string, string>;
    steps: number;
    device: string;
    precision: string;
  };
  /** All training options, defaults filled in. */
  options: Record<string, unknown>;
}

/** A trained encoder. `dispose()`, or `using`, frees native memory; afterwards every method rejects with STAINFOLD_DISPOSED. */
export interface Encoder extends AsyncDisposable {
  readonly info: ModelInfo;
  /** Resolved: `cpu` or `cuda:0`. */
  readonly device: string;
  readonly precision: string;
  /**
   * One tile, many, or a stream, which is read no faster than the encoder goes. Rejects on the first unreadable tile
   * (STAINFOLD_TILE_UNREADABLE, index in the message). Concurrent calls share batches fairly and get what each would get alone.
   * A tile in memory is copied when its turn comes, and may be changed or transferred afterwards; one in a SharedArrayBuffer is
   * read where it lies until the call settles.
   */
  embed(
    tiles: TileInput | Iterable<TileInput> | AsyncIterable<TileInput>,
    options?: EmbedOptions,
  ): Promise<Embeddings>;
  /** The tiles as the decoder draws them, in the source's stain: RGB, tileSize x tileSize. */
  reconstruct(
    tiles: TileInput | Iterable<TileInput> | AsyncIterable<TileInput>,
    options?: EmbedOptions,
  ): Promise<RawTile[]>;
  /** The tiles of a slide, given by its path or opened, in chunks as they are done; memory does not grow with the slide. */
  embedSlide(slide: string | Slide, options?: EmbedSlideOptions): AsyncGenerator<SlideChunk, void, undefined>;
  /** How unlike the training tiles each tile is: flags folds, pen, blur, foreign stains. Needs a model with statistics (`fitOutliers`). */
  score(
    tiles: TileInput | Iterable<TileInput> | AsyncIterable<TileInput>,
    options?: ScoreOptions,
  ): Promise<TileScores>;
  /** Which pixels the embedding, or a number made of it, rests on, and how it moves along the manifold of stains. */
  attribute(
    tiles: TileInput | Iterable<TileInput> | AsyncIterable<TileInput>,
    options?: AttributeOptions,
  ): Promise<TileAttribution[]>;
  dispose(): Promise<void>;
}

export interface PhantomOptions extends RuntimeOptions {
  /** Folder to write PNG tiles and manifest.csv (file,lab,tissue,slide,place,mpp; tiles of one place show the same tissue) to. */
  out: string;
  /** Tiles per lab. Default 240. */
  tiles?: number;
  /** Labs, 1 to 64. Default 4. */
  labs?: number;
  /** Side in pixels, a multiple of 32. Default 128. */
  tileSize?: number;
  /** Micrometres per pixel. Default 0.5. */
  mpp?: number;
  /** Default 1. */
  seed?: number;
  /** Every lab shows the same tissue (registered), or each its own. Default `own`. */
  tissue?: 'shared' | 'own';
  onProgress?: (done: number, total: number) => void;
}

export interface PhantomResult {
  /** Path of manifest.csv: what train and evaluate take as `tiles`. */
  manifest: string;
  /** Written, over all labs. */
  tiles: number;
  /** Values of the `lab` column: `0`, `1`, ... */
  labs: string[];
  /** Tissue classes, in the order that tiles take them in turn. */
  tissues: string[];
}

/** What a model or checkpoint file holds. */
export interface Inspection {
  /** Absolute. */
  path: string;
  info: ModelInfo;
  /** Bytes of all tensors. */
  bytes: number;
  tensors: { name: string; dtype: string; shape: number[] }[];
}

export interface ListTilesOptions extends Pick<TileSelection, 'tiles' | 'where'> {
  signal?: AbortSignal;
}

export interface TileList {
  /** Label columns of the manifest; empty for a folder. */
  columns: string[];
  tiles: {
    /** As the manifest names it, or relative to the folder. */
    file: string;
    /** Absolute. */
    path: string;
    labels: Record<string, string>;
  }[];
}

/** What a row of embeddings is of. */
export interface EmbeddingTile {
  file: string;
  labels?: Record<string, string>;
}

export interface RenderOptions extends RuntimeOptions {
  /** Side in pixels, a multiple of 32 from 32 to 1024. */
  tileSize: number;
  manifold?: Manifold;
  /** Default 1. */
  seed?: number;
}

export type * from './types/benchmark.js';
export type * from './types/features.js';
export type * from './types/manifest.js';
export type * from './types/manifold.js';
export type * from './types/slide.js';
export type * from './types/slide-features.js';
export type * from './types/slide-report.js';
export type * from './types/stain.js';
