/** Features of a slide's tiles, in files that other tools read. */

/** A run of tiles, in the slide's order. */
export interface FeatureChunk {
  /** [n,d], row-major. */
  features: Float32Array;
  /** [n,2]: x and y of each tile's top-left corner, in level-0 pixels. */
  coords: Int32Array;
}

export type FeatureFormat = 'h5' | 'safetensors' | 'parquet' | 'npy' | 'zarr';
/** Names, types and attributes inside an HDF5 file: stainfold's own, or those of another tool. */
export type FeatureLayout = 'plain' | 'trident' | 'clam' | 'stamp';
export type FeaturePrecision = 'fp32' | 'fp16';

/** How a slide was tiled: what files of features say beside the features. */
export interface TileGeometry {
  /** Name of the slide, without folder and extension. */
  slide: string;
  /** Of level 0, pixels. */
  width: number;
  height: number;
  /** Micrometres per pixel of level 0. */
  mpp: number;
  /** Side of a tile in pixels at `tileMpp`. */
  tileSize: number;
  tileMpp: number;
  /** Pixels at `tileMpp` that neighbours share. Default 0. */
  overlap?: number;
}

export interface WriteFeaturesOptions {
  /** Default: by the path's extension. */
  format?: FeatureFormat;
  /** Of an .h5 file. Default `plain`. */
  layout?: FeatureLayout;
  /** Default: what the layout has (`stamp`: fp16), else fp32. */
  precision?: FeaturePrecision;
  /** Needed by the layouts `trident`, `clam` and `stamp`. */
  geometry?: TileGeometry;
  /** Name of the encoder, as the layouts `trident` and `stamp` write it. Default `stainfold`. */
  encoder?: string;
  /** Further facts of the layout `plain` and the other formats. */
  attributes?: Record<string, string | number>;
  signal?: AbortSignal;
}

export interface WrittenFeatures {
  /** The features first; then what lies beside them. */
  files: string[];
  shape: [tiles: number, dimensions: number];
}

/** What a file of features holds. */
export interface StoredFeatures {
  data: Float32Array;
  shape: [tiles: number, dimensions: number];
  /** [tiles,2], as stored: level-0 pixels, or micrometres where `attributes.unit` is `um`. Undefined where the file has none. */
  coords: Float64Array | undefined;
  attributes: Record<string, string | number>;
}
