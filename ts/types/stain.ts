/** Public types of stain separation and normalisation. */
import type { RawTile, RuntimeOptions, SlideOptions, TileSelection, UnreadableTile } from '../types.js';

/**
 * `macenko`: extremes of angle in the principal plane of optical density. `vahadane`: sparse non-negative factorisation.
 * `ruifrok`: a fixed matrix. `reinhard`: mean and deviation in CIELAB. `histogram`: the histogram of each channel.
 */
export type StainMethod = 'macenko' | 'vahadane' | 'ruifrok' | 'reinhard' | 'histogram';

/** Fixed stains: haematoxylin with eosin, eosin and DAB, DAB, fast red and DAB, AEC, or PAS; methyl green and DAB; Giemsa; alcian blue and haematoxylin. */
export type StainSet = 'he' | 'hed' | 'hdab' | 'hrd' | 'haec' | 'hpas' | 'gdab' | 'giemsa' | 'alcian';

/**
 * `little-tissue`: fewer than 16 pixels, or 2 in 100, hold stain. `weak-stain`: grey, or two stains cannot be told apart.
 * Both come out as they went in. `clamped`: a scale was held at its limit.
 */
export type StainStatus = 'ok' | 'little-tissue' | 'weak-stain' | 'clamped';

/** `tissue`: measured and changed where there is tissue; glass stays as it is. `all`: every pixel, as the methods were published. */
export type StainPixels = 'tissue' | 'all';

export type StainRuntime = Pick<RuntimeOptions, 'device' | 'threads' | 'libtorch' | 'signal'>;

export interface StainFitOptions extends StainRuntime {
  /** Default `macenko`. */
  method?: StainMethod;
  /** Of `ruifrok`. Default `he`. */
  stains?: StainSet;
  /** Limit of reference over source, of a stain's concentration or a deviation in CIELAB, 1 to 100. Default 3. */
  clamp?: number;
  /** Of `reinhard` and `histogram`, which tint glass as published. Default `tissue`. */
  pixels?: StainPixels;
  /** Tiles done. */
  onProgress?: (done: number) => void;
  /** Called for each tile that cannot be decoded, which then does not count. Without it such a tile rejects the call. */
  onUnreadable?: (index: number, reason: string) => void;
}

/** What tiles are normalised to. Stains: rows red, green, blue, a unit column each; peaks: 99th percentiles of concentration. */
export type StainReference =
  | { matrix: number[][]; peaks: number[] }
  | { mean: number[]; deviation: number[] }
  | { red: number[]; green: number[]; blue: number[] };

export interface NormalizeOptions {
  /** One name a tile, its slide: tiles of one name are fitted together. Needs an array of tiles. Default: each tile by itself. */
  groups?: readonly string[];
  signal?: AbortSignal;
  /** Tiles of `groups` looked at, before the first tile comes out. */
  onFitProgress?: (done: number) => void;
  /** Called for each tile that cannot be decoded, which is then left out. Without it such a tile rejects the call. */
  onUnreadable?: (index: number, reason: string) => void;
}

export interface NormalizedTile {
  /** Place among the tiles given. */
  index: number;
  /** RGB, the size of the tile given. */
  tile: RawTile;
  status: StainStatus;
}

export interface SeparateOptions extends StainRuntime {
  /** Default `macenko`. */
  method?: 'macenko' | 'vahadane' | 'ruifrok';
  /** Of `ruifrok`. Default `he`. */
  stains?: StainSet;
  /** Also draw each stain. Default false. */
  images?: boolean;
  onUnreadable?: (index: number, reason: string) => void;
}

export interface SeparatedTile {
  /** Place among the tiles given. */
  index: number;
  width: number;
  height: number;
  /** Names, in the order of the matrix's columns. */
  stains: string[];
  /** Rows red, green, blue; unit columns. Where nothing could be estimated, Ruifrok's. */
  matrix: number[][];
  /** [stains, height, width], natural optical density; least squares, so noise makes some negative. */
  concentrations: Float32Array;
  status: StainStatus;
  /** With `images`: each stain alone on glass, and its concentration as 16-bit grey levels, 10000 a unit. */
  images?: RawTile[];
  maps?: Uint16Array[];
}

export interface NormalizeTilesOptions extends TileSelection {
  /** Folder to write tiles/ and manifest.csv to. Created. */
  out: string;
  /** `tile`, `slide` (one fit for each value of slideColumn) or `set` (one fit for all). Default `tile`. */
  per?: 'tile' | 'slide' | 'set';
  /** Manifest column that names the slide. Default `slide`. */
  slideColumn?: string;
  /** Of the tiles written; all lossless. Default `png`. */
  format?: 'png' | 'webp' | 'tiff';
  signal?: AbortSignal;
  onProgress?: (progress: { stage: 'fitting' | 'normalizing'; done: number; total: number }) => void;
}

export interface NormalizeTilesResult {
  /** Path of manifest.csv: file, the labels of the tiles given, stain_status. */
  manifest: string;
  /** Written. */
  tiles: number;
  statuses: Record<StainStatus, number>;
  unreadable: UnreadableTile[];
}

export interface SeparateTilesOptions extends TileSelection, StainRuntime {
  /** Folder to write stains.csv, stains.json, concentrations/ and images/ to. Created. */
  out: string;
  method?: SeparateOptions['method'];
  stains?: StainSet;
  onProgress?: (done: number, total: number) => void;
}

export interface SeparateTilesResult {
  /** Path of stains.csv: file, the labels, stain_status, and each stain's red, green and blue. */
  table: string;
  tiles: number;
  statuses: Record<StainStatus, number>;
  unreadable: UnreadableTile[];
}

export interface PublishedOptions extends StainRuntime {
  /** Default `macenko`. */
  method?: 'macenko' | 'vahadane';
  clamp?: number;
}

export interface NormalizeSlideOptions {
  slide: string;
  /** `.tif` or `.tiff`; `.ome.tif` or `.ome.tiff` for OME-TIFF. Replaced. */
  out: string;
  /** Of its tiles. Default `jpeg`, 4:4:4; `deflate` is lossless. */
  compression?: 'jpeg' | 'deflate';
  /** Of JPEG, 1 to 100. Default 90. */
  quality?: number;
  /** How the slide is opened: `mpp` where the file does not say, `icc`, `backend`. */
  open?: Omit<SlideOptions, 'signal'>;
  signal?: AbortSignal;
  /** Blocks of 1,024 px written, and how many there are. */
  onProgress?: (done: number, total: number) => void;
}

export interface NormalizeSlideResult {
  path: string;
  /** From the finest, each half as wide. */
  levels: { width: number; height: number }[];
  /** Micrometres per pixel of the first; null where neither the slide nor `open` says. */
  mpp: number | null;
  method: StainMethod;
  /** `clamped`: a scale was held at the limit. */
  status: StainStatus;
  /** Places that the slide's stain was fitted to. */
  samples: number;
}
