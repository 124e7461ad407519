/** The part of the native contract that is about translators between two sites. */
import type { NativeTensorSpec, NativeTrainer } from './native.js';

export interface NativeTranslatorConfig {
  tileSize: number;
  width: number;
  blocks: number;
  judgeWidth: number;
  judgeLayers: number;
}

export interface NativeTranslatorTrainOptions {
  model: NativeTranslatorConfig;
  cycle: number;
  identity: number;
  pool: number;
  geometry: boolean;
  totalSteps: number;
  constantSteps: number;
  learningRate: number;
  seed: number;
  device: string;
  precision: string;
}

export interface NativeTranslatorReport {
  step: number;
  learningRate: number;
  loss: number;
  adversarial: number;
  cycle: number;
  identity: number;
  judge: number;
  gradientNorm: number;
  judgeGradientNorm: number;
  tiles: number;
}

/** On its own thread, as NativeTrainer. */
export interface NativeTranslatorTrainer extends Omit<NativeTrainer, 'step'> {
  /** source [sourceCount,tileSize,tileSize,3], target [targetCount,tileSize,tileSize,3]. */
  step(
    source: Uint8Array,
    sourceCount: number,
    target: Uint8Array,
    targetCount: number,
  ): Promise<NativeTranslatorReport>;
}

/** Both generators in service, on its own thread. */
export interface NativeTranslator {
  /** specs and data: tensors of a file; what is not a generator's is ignored. */
  open(specs: NativeTensorSpec[], data: Uint8Array): Promise<{ device: string; precision: string }>;
  /** pixels [count,side,side,3] -> the same shape, in the appearance of `to`. */
  translate(pixels: Uint8Array, count: number, side: number, to: 'source' | 'target'): Promise<Uint8Array>;
  dispose(): Promise<void>;
}

/** What NativeAddon holds of it. */
export interface NativeTranslators {
  TranslatorTrainer: new (options: NativeTranslatorTrainOptions) => NativeTranslatorTrainer;
  Translator: new (options: {
    model: NativeTranslatorConfig;
    device: string;
    precision: string;
  }) => NativeTranslator;
}
