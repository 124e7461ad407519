/** The native contract of whole slides. Calls run side by side on a few threads of the environment. */

/** A region in the continuous coordinates of one level, where pixel j covers j to j + 1. */
export interface NativeSlideGeometry {
  x: number;
  y: number;
  /** Level pixels per output pixel. */
  scale: number;
  width: number;
  height: number;
}

/** Decoded pixels of a level: RGB, [height,width,3]. */
export interface NativeSlidePiece {
  pixels: Uint8Array;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface NativeOpenSlideDescription {
  vendor: string;
  levels: { width: number; height: number; downsample: number }[];
  properties: Record<string, string>;
  associated: string[];
  /** Empty: none known. */
  icc: Uint8Array;
}

export interface NativeOpenSlide {
  open(): Promise<NativeOpenSlideDescription>;
  /** -> [height,width,3]. */
  read(level: number, geometry: NativeSlideGeometry): Promise<Uint8Array>;
  /** At once for the caller; the file is closed when the reads under way are done. */
  close(): void;
}

export interface NativeSlides {
  /** The first of `names` that loads, for the rest of the process. Throws STAINFOLD_OPENSLIDE_MISSING. */
  loadOpenSlide(names: string[]): { path: string; version: string };
  OpenSlide: new (options: { path: string; cacheBytes: number; libraries: string[] }) => NativeOpenSlide;
  /** -> [height,width,3]; white where no piece covers the level, or there is no level. */
  renderRegion(
    pieces: NativeSlidePiece[],
    levelWidth: number,
    levelHeight: number,
    geometry: NativeSlideGeometry,
  ): Promise<Uint8Array>;
  /** pixels [height,width,3], even sides -> [height/2,width/2,3]. */
  halveRegion(pixels: Uint8Array, height: number, width: number): Promise<Uint8Array>;
  /** pixels [height,width,3] -> mask [height,width]. */
  findTissue(
    pixels: Uint8Array,
    height: number,
    width: number,
    options: {
      leastSaturation: number;
      mostSaturation: number;
      closing: number;
      smallest: number;
      largestHole: number;
    },
  ): Promise<{ mask: Uint8Array; threshold: number }>;
  highDensity(pixels: Uint8Array, height: number, width: number, mask: Uint8Array): Promise<number>;
  /** points [P,2] -> mask [height,width]. */
  fillPolygons(
    points: Float64Array,
    ringStarts: Int32Array,
    ringPolygons: Int32Array,
    height: number,
    width: number,
  ): Promise<Uint8Array>;
  /** boxes [N,4]: x, y, width, height in pixels of the mask -> [N]. */
  boxShares(mask: Uint8Array, height: number, width: number, boxes: Float64Array): Promise<Float32Array>;
  /** tiles [count,height,width,3] -> [count,4]: stained, sharpness, ink, fold. */
  tileQuality(
    tiles: Uint8Array,
    count: number,
    height: number,
    width: number,
    density: number,
    blocks: number,
  ): Promise<Float64Array>;
}
