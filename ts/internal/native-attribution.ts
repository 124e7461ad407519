/** The native contract of attribution. */

export interface NativeAttributionOptions {
  method: 'gradients' | 'cam';
  target: 'norm' | 'direction' | 'similarity';
  baseline: 'glass' | 'blur';
  steps: number;
  stage: number;
}

export interface NativeAttributionEmbedder {
  /** vector: [latent], of direction and similarity. map [count,tileSize,tileSize]; value, baselineValue [count]. */
  attribute(
    pixels: Uint8Array,
    count: number,
    options: NativeAttributionOptions,
    vector: Float32Array | null,
  ): Promise<{ map: Float32Array; value: Float32Array; baselineValue: Float32Array }>;
  /** Of haematoxylin, eosin, gain, gamma: length [count,4], maps [count,4,tileSize,tileSize]; norm of z [count]. */
  sensitivity(
    pixels: Uint8Array,
    count: number,
  ): Promise<{ length: Float32Array; norm: Float32Array; maps: Float32Array }>;
}

export interface NativeAttribution {
  /** A map [count,size,size] in colours over tiles [count,size,size,3]. smooth: side of a box mean, odd. */
  attributionOverlay(
    pixels: Uint8Array,
    count: number,
    size: number,
    map: Float32Array,
    diverging: boolean,
    smooth: number,
  ): Promise<Uint8Array>;
}
