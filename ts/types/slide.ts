/**
 * Whole slides: types. Positions are level-0 pixels from the slide's top-left corner, whatever the resolution read at; a
 * position names the corner of a pixel, so that pixel i of a row covers i to i + 1.
 */
import type { RawTile } from '../types.js';

/**
 * `tiff`: our own reader of tiled TIFF (pyramidal, OME-TIFF, SVS with JPEG). `image`: any image that sharp decodes, whole.
 * `openslide`: the library of that name, where the machine has it.
 */
export type SlideBackend = 'tiff' | 'openslide' | 'image';

export interface SlideOptions {
  /** Micrometres per level-0 pixel, 0.01 to 100, where the file does not say or says wrong. */
  mpp?: number;
  /** CSV with the columns `slide` (file name, with or without extension) and `mpp`, for slides that it lists. `mpp` goes first. */
  mppFile?: string;
  /** Default `auto`: `tiff` for tiled TIFF that it can read, `image` for pictures and TIFF in strips, `openslide` for all else. */
  backend?: 'auto' | SlideBackend;
  /** Convert regions to sRGB by the slide's ICC profile, where it has one. Default false: pixels as stored. */
  icc?: boolean;
  /** Decoded tiles of the file kept in memory, bytes. Default 128 MiB. */
  cacheBytes?: number;
  /** Folder of LibTorch, see {@link RuntimeOptions}. */
  libtorch?: string;
  signal?: AbortSignal;
}

export interface SlideLevel {
  /** Pixels. */
  width: number;
  height: number;
  /** Level-0 pixels per pixel of this level, >= 1. */
  downsample: number;
}

/** Give `mpp` or `level` or neither (level 0). */
export interface SlideRegion {
  /** Of the top-left corner, level-0 pixels; may be fractional, negative or beyond the slide: what is not slide is white. */
  x: number;
  y: number;
  /** Of the result, pixels, 1 to 32768. */
  width: number;
  height: number;
  /** Micrometres per pixel of the result: read from the best level and resampled. Needs to know the slide's. */
  mpp?: number;
  /** Pixels of this level. */
  level?: number;
}

export interface SlideReadOptions {
  signal?: AbortSignal;
}

export interface WriteSlideOptions {
  /** Micrometres per pixel, 0.01 to 100. */
  mpp: number;
  /** Side of the file's tiles, a multiple of 16 from 64 to 4096. Default 256. */
  tileSize?: number;
  /** Default `jpeg`. `deflate` keeps every pixel. */
  compression?: 'jpeg' | 'deflate';
  /** Of JPEG, 1 to 100. Default 90. */
  quality?: number;
  signal?: AbortSignal;
}

/** An open slide. `dispose()`, or `await using`, closes it; afterwards every method rejects with STAINFOLD_DISPOSED. */
export interface Slide extends AsyncDisposable {
  /** Absolute. */
  readonly path: string;
  /** File name without its extension: what features of the slide are stored under. */
  readonly name: string;
  readonly backend: SlideBackend;
  /** `aperio`, `hamamatsu`, `ome`, `generic-tiff`, ... */
  readonly vendor: string;
  /** Of level 0, pixels. */
  readonly width: number;
  readonly height: number;
  /** From the finest (level 0) to the coarsest. */
  readonly levels: readonly Readonly<SlideLevel>[];
  /** Micrometres per level-0 pixel, null if unknown: then `mpp` of a region and tiling reject with STAINFOLD_SLIDE_MPP. */
  readonly mpp: number | null;
  /** Where `mpp` was found. */
  readonly mppSource: 'option' | 'csv' | 'file' | null;
  /** 20 for 20x, null if unknown. */
  readonly objectivePower: number | null;
  /** Names of the label, macro and thumbnail images, which are never read or written: they can show a patient's name. */
  readonly associated: readonly string[];
  readonly hasIccProfile: boolean;
  /** RGB. */
  readRegion(region: SlideRegion, options?: SlideReadOptions): Promise<RawTile>;
  /** The whole slide, RGB, its longer side `maxSide` pixels (1 to 16384) or what level 0 has, if less. */
  thumbnail(maxSide: number, options?: SlideReadOptions): Promise<RawTile>;
  dispose(): Promise<void>;
}

/**
 * `ok`; or why a tile is not used: `background` (glass), `blur`, `pen` (ink), `fold`, `unreadable`. `unchecked`: the tile has
 * not been read.
 */
export type SlideTileStatus = 'ok' | 'background' | 'blur' | 'pen' | 'fold' | 'unreadable' | 'unchecked';

/** GeoJSON of areas to tile, as QuPath exports them: level-0 pixels. Points and lines are left out. */
export interface RegionsGeoJson {
  type: string;
  [member: string]: unknown;
}

export interface TilingOptions {
  /** Side of a tile, pixels, 8 to 8192. Default 224. */
  tileSize?: number;
  /** Micrometres per pixel of the tiles. Default 0.5. */
  mpp?: number;
  /** Pixels that neighbours share, 0 to tileSize - 1. Default 0. */
  overlap?: number;
  /** Least share of a tile that is tissue (or region), 0 to 1; tiles without any are left out always. Default 0.5. */
  minTissue?: number;
  /** GeoJSON, the path of a file of it, or of a folder of `<slide>.geojson`: tiles lie in these regions, and no tissue is looked for. */
  regions?: string | RegionsGeoJson;
  /** Read every tile and give it a status. Default true. False: `unchecked`, for a consumer that checks as it reads. */
  quality?: boolean;
  /** Take this many tiles at most, from the top. */
  limit?: number;
  /** Draw this many tiles at random, by `seed`; they stay in order. Before `limit`. */
  sample?: number;
  /** Default 1. */
  seed?: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** Tissue (1) and the rest (0), row by row. */
export interface TissueMask {
  data: Uint8Array;
  width: number;
  height: number;
  /** Level-0 pixels per pixel of the mask; its top-left corner is the slide's. */
  scale: number;
  /** Share of the slide that is tissue. */
  share: number;
}

/** The tiles of a slide, row by row from the top, each row from the left. */
export interface SlideTiling {
  /** Options in effect. */
  tileSize: number;
  mpp: number;
  overlap: number;
  minTissue: number;
  seed: number;
  /** The slide's own, level 0. */
  slideMpp: number;
  /** Side of a tile in level-0 pixels; may be fractional. */
  sizeLevel0: number;
  count: number;
  /** x, y of each tile's top-left corner, level-0 pixels: [count,2]. */
  coords: Int32Array;
  /** Share of each tile that is tissue. */
  tissue: Float32Array;
  status: SlideTileStatus[];
  /** Tiles by status. */
  counts: Record<SlideTileStatus, number>;
  mask: TissueMask;
  /** Optical density that nine in ten of the mask's pixels stay below: what folds are told by. */
  density: number;
}

export interface SlideTilesOptions {
  /** Give `unchecked` tiles a status as they are read. Default true. */
  quality?: boolean;
  /** Yield tiles whose status is not `ok` or `unchecked`, too. Default false. */
  rejected?: boolean;
  /** Index of the first tile. Default 0. */
  from?: number;
  /** Reads in flight, 1 to 256: no more tiles are ever held ahead of the consumer. Default: twice the decoding threads. */
  ahead?: number;
  signal?: AbortSignal;
  /** Called for each tile that cannot be read, which is then left out. Without it such a tile rejects the call. */
  onUnreadable?: (index: number, reason: string) => void;
}

export interface SlideTile {
  /** Into the tiling. */
  index: number;
  /** Top-left corner, level-0 pixels. */
  x: number;
  y: number;
  status: SlideTileStatus;
  /** RGB, [tileSize,tileSize,3]. */
  pixels: Uint8Array;
}
