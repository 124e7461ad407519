/**
 * The whole contract with stainfold.node. Everything native is reached through this interface and nothing else.
 * Asynchronous calls run on the object's own thread, in the order they were made; the memory of a Uint8Array argument is
 * read (or written) there, so the caller must leave it alone until the promise settles. Rejections are StainfoldErrors,
 * made by the factory given to `initialize`.
 */
import type { StainfoldError } from '../errors.js';
import type { NativeAttribution, NativeAttributionEmbedder } from './native-attribution.js';
import type { NativeAudit } from './native-audit.js';
import type { NativeDecode } from './native-decode.js';
import type { NativeLosses } from './native-losses.js';
import type { NativeManifold, NativeManifoldOptions } from './native-manifold.js';
import type { NativeMetrics } from './native-metrics.js';
import type { NativeOutlierEmbedder, NativeOutliers } from './native-outliers.js';
import type { NativeSlides } from './native-slide.js';
import type { NativeTranslators } from './native-translator.js';

export type { NativeManifoldOptions } from './native-manifold.js';
export type { NativeMatrix } from './native-metrics.js';

import type { NativeStain } from './native-stain.js';

export interface NativeTensorSpec {
  name: string;
  dtype: 'F64' | 'F32' | 'I64';
  shape: number[];
}

export interface NativeStatus {
  version: string;
  libtorch: string;
  cudaCompiled: boolean;
  cudaVersion: string;
  /** Why CUDA cannot be used; empty when it can. */
  cudaUnavailable: string;
  devices: { index: number; name: string; capability: string; totalBytes: number; freeBytes: number }[];
  threads: number;
  cpuCapability: string;
}

export interface NativeModelConfig {
  size: string;
  latent: number;
  tileSize: number;
}

export interface NativeTrainOptions {
  model: NativeModelConfig;
  manifold: NativeManifoldOptions;
  /** Of further stains; batches then say which tile has which, `manifold` being 0. */
  furtherStains: NativeManifoldOptions[];
  weights: { compaction: number; scatter: number; reconstruction: number; adversarial: number };
  compaction: 'contrastive' | 'cross-correlation';
  temperature: number;
  lambda: number;
  views: number;
  viewTurn: boolean;
  viewCrop: number;
  realLabs: number;
  totalSteps: number;
  warmupSteps: number;
  learningRate: number;
  weightDecay: number;
  clipNorm: number;
  seed: number;
  device: string;
  precision: string;
}

export interface NativeStepReport {
  step: number;
  learningRate: number;
  loss: number;
  compaction: number;
  scatter: number;
  reconstruction: number;
  adversarial: number;
  discriminatorAccuracy: number;
  discriminatorChance: number;
  gradientNorm: number;
  rank: number;
  tiles: number;
}

/** A trainer on its own thread. */
export interface NativeTrainer {
  /** Builds the networks. Every other call comes after it. */
  open(): Promise<{ device: string; precision: string }>;
  /**
   * pixels: [count,tileSize,tileSize,3]. realLab, group, stain: [count], or null. stamps [6]: when the step began, had its
   * tiles on the device, its views, its terms, its gradients, was done, in milliseconds of process.hrtime(). Asked for them,
   * the step waits for the device at each.
   */
  step(
    pixels: Uint8Array,
    count: number,
    realLab: Int32Array | null,
    group: Int32Array | null,
    stain: Int32Array | null,
    stamps: Float64Array | null,
  ): Promise<NativeStepReport>;
  /** Names, types and shapes of the state, in order. */
  layout(): NativeTensorSpec[];
  /** Copies the state, in layout order without padding, into `into`, whose length is the sum of the tensors' bytes. */
  exportState(into: Uint8Array): Promise<void>;
  importState(specs: NativeTensorSpec[], data: Uint8Array): Promise<void>;
  /** Drops queued calls (they reject with STAINFOLD_DISPOSED), waits for the running one, frees. Idempotent. */
  dispose(): Promise<void>;
}

/** An encoder (and decoder) in service, on its own thread. */
export interface NativeEmbedder extends NativeOutlierEmbedder, NativeAttributionEmbedder {
  /** specs and data: tensors of a checkpoint; both empty for seeded random weights. */
  open(
    specs: NativeTensorSpec[],
    data: Uint8Array,
  ): Promise<{ device: string; precision: string; hasDecoder: boolean; hasOutliers: boolean }>;
  /**
   * pixels [count,tileSize,tileSize,3], in one array or in several of whole tiles, which are gathered off the event loop
   * -> [count,latent]. stamps [3]: when the call began, had its tiles side by side, was done, in milliseconds of
   * process.hrtime().
   */
  embed(
    pixels: Uint8Array | readonly Uint8Array[],
    count: number,
    stamps?: Float64Array | null,
  ): Promise<Float32Array>;
  /**
   * Seconds of one of `calls` embeddings in a row of pixels [count,tileSize,tileSize,3] that lie in the device's memory
   * already. For benchmarks.
   */
  secondsResident(pixels: Uint8Array, count: number, calls: number): Promise<number>;
  /** pixels [count,tileSize,tileSize,3] -> the same shape. */
  reconstruct(pixels: Uint8Array, count: number): Promise<Uint8Array>;
  dispose(): Promise<void>;
}

export interface NativeAddon extends NativeAttribution, NativeAudit, NativeManifold, NativeTranslators {
  /** Once per environment, before anything else. */
  initialize(options: { createError: (code: string, detail: string) => StainfoldError }): void;
  status(): NativeStatus;
  setThreads(threads: number): void;
  architectures(): { name: string; latent: number }[];

  Trainer: new (options: NativeTrainOptions) => NativeTrainer;
  Embedder: new (options: {
    model: NativeModelConfig;
    device: string;
    precision: string;
    seed: number;
  }) => NativeEmbedder;

  decode: NativeDecode;

  losses: NativeLosses;

  metrics: NativeMetrics;

  outliers: NativeOutliers;

  phantom: {
    /** Names of the tissue classes, by index. */
    tissues(): string[];
    /** One tile under several labs: [labs.length,size,size,3]. */
    render(tile: {
      tissue: number;
      size: number;
      mpp: number;
      seed: number;
      labs: number[];
    }): Promise<Uint8Array>;
  };

  stain: NativeStain;

  slide: NativeSlides;
}
