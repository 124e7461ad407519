/** From whole slides to features in files. */
import type { FeatureChunk, FeatureFormat, FeatureLayout, FeaturePrecision } from './features.js';
import type { Slide, SlideOptions, SlideTileStatus, SlideTiling, TilingOptions } from './slide.js';

/** Why a tile of a slide has no features. */
export type RejectedStatus = Exclude<SlideTileStatus, 'ok' | 'unchecked'>;

export interface RejectedTile {
  /** Into the tiling. */
  index: number;
  status: RejectedStatus;
  /** Of `unreadable`. */
  reason?: string;
}

/** The features of a run of tiles, in the tiling's order. */
export interface SlideChunk extends FeatureChunk {
  /** Of each row, into the tiling: [n]. */
  indices: Int32Array;
  /** All tiles before this one are done: `from` of a call that goes on from here. */
  next: number;
  /** Tiles of this run that have no features. */
  rejected: RejectedTile[];
  /** Of each row, with the option `scores`. */
  scores?: TileOutliers;
}

/** How unlike the training tiles each tile is: 0 is the median of known tiles, 1 their 99th percentile; and the p-value. */
export interface TileOutliers {
  score: Float64Array;
  p: Float64Array;
}

export interface SlideProgress {
  /** Tiles looked at, of `total`. */
  done: number;
  total: number;
  /** Since the call. */
  tilesPerSecond: number;
  /** Share of the time that the encoder had work, 0 to 1. */
  encoderBusy: number;
  /** What the rest waited for. */
  bottleneck: Bottleneck;
}

export type Bottleneck = 'encoder' | 'reading' | 'writing';

export interface EmbedSlideOptions {
  /** How a slide given by its path is opened. */
  slide?: SlideOptions;
  /** How it is tiled, or a tiling of it. Default: tiles of the model's size at 0.5 µm a pixel. Other sizes are resized. */
  tiling?: TilingOptions | SlideTiling;
  /** Index of the first tile. Default 0. */
  from?: number;
  /** Tiles a chunk, 1 to 65536, rounded up to whole batches. Default 256. */
  chunkTiles?: number;
  /** Leave out glass, blur, pen and folds. Default true. */
  quality?: boolean;
  /** `fail`: the first tile that cannot be read rejects the call. `skip`: it is left out and listed. Default `fail`. */
  unreadable?: 'fail' | 'skip';
  /** Also give each tile's out-of-distribution score, where the model has statistics. Default false. */
  scores?: boolean;
  signal?: AbortSignal;
  /** Called once, before the first chunk. */
  onTiling?: (tiling: SlideTiling, slide: Slide) => void;
  /** Called after each batch. */
  onProgress?: (progress: SlideProgress) => void;
}

/**
 * One vector for a slide. `mean`: of its tiles' features. `max`: the largest value of each dimension. `mean-max`, `mean-std`: the
 * mean, then the largest values or the standard deviations: twice the dimensions.
 */
export type SlidePooling = 'mean' | 'max' | 'mean-max' | 'mean-std';

export interface EmbedSlidesOptions {
  /** Slides, and folders that are searched for them. */
  slides: string | readonly string[];
  /** Take every image in the folders for a slide. Default false: slides are told by their extensions, TIFFs by what they hold. */
  images?: boolean;
  /** Folder of the features. Several processes may share it. */
  out: string;
  /** Default `h5`. */
  format?: FeatureFormat;
  /** Of .h5 files, and of the folders they lie in. Default `plain`. */
  layout?: FeatureLayout;
  /** Default: what the layout has, else fp32. */
  precision?: FeaturePrecision;
  /** Name of the encoder in files and folders. Default `stainfold`. */
  encoder?: string;
  /** Default `mean`. */
  pooling?: SlidePooling;
  /** How slides are opened: mpp, mppFile, backend, icc, cacheBytes. */
  slide?: Omit<SlideOptions, 'signal'>;
  tiling?: Omit<TilingOptions, 'signal' | 'onProgress' | 'quality'>;
  /** As of {@link EmbedSlideOptions}. */
  chunkTiles?: number;
  quality?: boolean;
  unreadable?: 'fail' | 'skip';
  /** Also keep each tile's out-of-distribution score, where the model has statistics: `writeSlideReport` need not read the tiles then. Default false. */
  scores?: boolean;
  /** Embed again what is there already, whoever wrote it. Default false. */
  overwrite?: boolean;
  signal?: AbortSignal;
  /** Called when a slide is begun, and after each of its batches. */
  onProgress?: (progress: SlidesProgress) => void;
  /** Called when a slide is done, in whatever way. */
  onSlide?: (outcome: SlideOutcome) => void;
}

export interface SlidesProgress {
  /** Slides done, of `slides`. */
  slide: number;
  slides: number;
  /** Name of the one at work. */
  name: string;
  /** Undefined until it is tiled. */
  progress: SlideProgress | undefined;
}

/** `written`; `present`: whole already; `busy`: another process works on it; `failed`: see `error`. */
export type SlideState = 'written' | 'present' | 'busy' | 'failed';

export interface SlideOutcome {
  slide: string;
  path: string;
  state: SlideState;
  /** The features first; empty where there are none. */
  files: string[];
  /** Tiles with features. */
  tiles: number;
  rejected: Partial<Record<RejectedStatus, number>>;
  /** Tiles that an earlier, interrupted call had done. */
  resumed: number;
  seconds: number;
  /** Looked at by this call. */
  tilesPerSecond: number;
  bottleneck: Bottleneck | undefined;
  error: { code: string; message: string; hint: string } | undefined;
}

export interface EmbeddedSlides {
  slides: SlideOutcome[];
  /** slides.csv and slides.parquet, beside the features: all that is complete there. */
  files: string[];
  seconds: number;
}

/** A vector for each slide, as slides.parquet has them. */
export interface SlideVectors {
  names: string[];
  data: Float32Array;
  shape: [slides: number, dimensions: number];
}

export interface SlideMatch {
  slide: string;
  /** Cosine, -1 to 1. */
  similarity: number;
}

export interface FindSlidesOptions {
  /** Take every image in the folders for a slide. Default false. */
  images?: boolean;
  signal?: AbortSignal;
}

export interface FoundSlides {
  /** Absolute paths, and the names that features are stored by. */
  slides: { name: string; path: string }[];
  /** Images in the folders that are no slides. */
  images: number;
}
