/** The native contract of the manifold. */

type Triple = [number, number, number];

/** Complete: no parameter is left out. */
export type NativeTransform =
  | {
      type: 'stain';
      /** Red, green, blue of the first stain, then of the second. */
      vectors: number[];
      estimate: boolean;
      tolerance: number;
      concentration: number;
      background: number;
      rotation: number;
      uniform: boolean;
    }
  | { type: 'hed'; scale: number; offset: number }
  | { type: 'gain'; spread: number; common: number }
  | { type: 'gamma'; spread: number }
  | { type: 'background'; spread: number; common: number }
  | { type: 'window'; low: number; high: number; common: number }
  | { type: 'bias'; spread: number; common: number }
  | { type: 'noise'; spread: number; shot: number; common: number }
  | { type: 'template'; mean: Triple; meanSpread: Triple; deviation: Triple; deviationSpread: Triple }
  | { type: 'blur'; sigma: number; share: number }
  | { type: 'jpeg'; qualityMin: number; share: number };

export interface NativeManifoldOptions {
  labs: number;
  jitter: number;
  geometry: boolean;
  /** Every view is drawn afresh from the prior; its lab is the nearest one. */
  fresh: boolean;
  transforms: NativeTransform[];
}

export interface NativeManifold {
  /** pixels [count,size,size,3] as each virtual lab of the prior renders them: [labs,count,size,size,3]. */
  renderManifold(
    options: NativeManifoldOptions & { seed: number },
    pixels: Uint8Array,
    count: number,
    size: number,
  ): Promise<Uint8Array>;
  /** Mean and deviation of each tile in CIELAB: [count,6]. */
  labStatistics(pixels: Uint8Array, count: number, size: number): Promise<Float64Array>;
}
