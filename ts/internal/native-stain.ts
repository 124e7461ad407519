/** The stain part of the native contract. Stateless: every call says all it needs. */

export interface NativeStainOptions {
  method: string;
  stains: string;
  sampledPixels: number;
  clamp: number;
  tissueOnly: boolean;
  device: string;
}

/** [count,height,width,3]. */
export interface NativeTiles {
  pixels: Uint8Array;
  count: number;
  height: number;
  width: number;
}

/** values: [status.length, P], row-major; the layout is in native/include/stainfold/stain.h. status: indices of STAIN_STATUS. */
export interface NativeStainFit {
  values: Float64Array;
  status: Uint8Array;
}

export interface NativeStain {
  fit(options: NativeStainOptions, tiles: NativeTiles): Promise<NativeStainFit>;
  /** One row for many, by the median. Not of reinhard and histogram. */
  median(options: NativeStainOptions, fits: NativeStainFit): Promise<NativeStainFit>;
  /** source: a fit of `count` rows, or of one for all. reference: [P]. */
  normalize(
    options: NativeStainOptions,
    tiles: NativeTiles,
    source: NativeStainFit,
    reference: Float64Array,
  ): Promise<{ pixels: Uint8Array; status: Uint8Array }>;
  /** stains [count,3,S]; concentrations [count,S,height,width]; with pictures maps [count,S,height,width] of uint16 and images [count,S,height,width,3]. */
  separate(
    options: NativeStainOptions,
    tiles: NativeTiles,
    pictures: boolean,
  ): Promise<{
    stains: Float32Array;
    concentrations: Float32Array;
    status: Uint8Array;
    maps: Uint8Array | null;
    images: Uint8Array | null;
  }>;
  /** Every stride-th pixel of every stride-th line. */
  sample(tiles: NativeTiles, stride: number): Promise<Uint8Array>;
  /** torchstain's reference for Macenko's method. */
  published(): Float64Array;
  sets(): { name: string; stains: string[] }[];
}
