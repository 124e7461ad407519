/** Attribution of embeddings to pixels and to directions of the manifold: types. */
import type { RawTile, TileInput } from '../types.js';

/** What is explained: a number made of the embedding z. */
export type AttributionTarget =
  /** The length of z. */
  | 'norm'
  /** w · z, the decision of a linear probe with weights w (as many as z has dimensions). */
  | { direction: Float32Array | readonly number[] }
  /** The cosine of z and another tile's embedding. */
  | { similarTo: TileInput };

export type AttributionMethod = 'gradients' | 'cam' | 'sensitivity';
/** Directions of the manifold: the logarithm of a stain's concentration, of the scanner's gain, of its gamma. */
export type SensitivityDirection = 'haematoxylin' | 'eosin' | 'gain' | 'gamma';

export interface AttributeOptions {
  /** Default `norm`. Sensitivity is of all of z and needs none. */
  target?: AttributionTarget;
  /** Default all three. */
  methods?: readonly AttributionMethod[];
  /** Start of the path of integrated gradients: clear glass, or the tile without detail. Default `glass`. */
  baseline?: 'glass' | 'blur';
  /** Steps of that path, 1 to 4096. More: the map adds up more exactly. Default 32. */
  steps?: number;
  /** Encoder stage whose activations Grad-CAM weighs, 1 to 4: a grid of 4, 8, 16 or 32 pixels. Default 3. */
  stage?: 1 | 2 | 3 | 4;
  /** Also draw each map in colours over the tile. Default false. */
  overlays?: boolean;
  signal?: AbortSignal;
  /** Called after each batch with the tiles done. */
  onProgress?: (done: number) => void;
  /** Called for each tile that cannot be decoded, which is then left out of the result. Without it such a tile rejects the call. */
  onUnreadable?: (index: number, reason: string) => void;
}

/** A number for each pixel, row by row, tileSize x tileSize. */
export type PixelMap = Float32Array;

export interface TileAttribution {
  /** Integrated gradients: the map sums to value - baselineValue, up to the steps of the path. */
  gradients?: { map: PixelMap; value: number; baselineValue: number; overlay?: RawTile };
  /** Grad-CAM: where the features lie that raise the target, >= 0. */
  cam?: { map: PixelMap; value: number; overlay?: RawTile };
  /** The derivative of z along each direction: its length, that over |z|, and each pixel's part in it (they sum to the length). */
  sensitivity?: Record<
    SensitivityDirection,
    { length: number; relative: number; map: PixelMap; overlay?: RawTile }
  >;
}
