/** The native contract of out-of-distribution scores. */
import type { NativeManifoldOptions, NativeMatrix, NativeTensorSpec } from './native.js';

export interface NativeOutlierEmbedder {
  /** Of each tile, then of each of `views` renderings: [(1+views)*count, latent+22], view-major. */
  outlierFeatures(
    pixels: Uint8Array,
    count: number,
    manifold: NativeManifoldOptions & { seed: number },
    views: number,
    step: number,
  ): Promise<Float32Array>;
  /**
   * [count,8]: embedding, reconstruction, stain, density, blur (NaN: not judged); score; p; which part is largest. Needs tensors
   * "ood.*" and a decoder. pixels as of `embed`. z: what `embed` gave for them [count,latent], which is then not computed again.
   */
  score(
    pixels: Uint8Array | readonly Uint8Array[],
    count: number,
    z?: Float32Array | null,
  ): Promise<Float64Array>;
}

export interface NativeOutliers {
  /** Statistics as tensors "ood.*", data in their order without padding. tile: which tile a row is a rendering of. */
  fit(features: NativeMatrix, tile: Int32Array): Promise<{ specs: NativeTensorSpec[]; data: Uint8Array }>;
}
