/** The losses by themselves: training has them inside; tests and benchmarks call them here. */
import type { NativeMatrix } from './native-metrics.js';

export interface NativeLosses {
  /**
   * The contrastive compaction of z [M,d] in float32, forward and backward, `repeats` times.
   *
   * @param z View-major: row i belongs to tile i mod tiles.
   */
  compaction(
    z: NativeMatrix,
    options: { tiles: number; temperature: number; device: string; repeats: number },
  ): Promise<{
    loss: number;
    /** [M,d]. */
    gradient: Float32Array;
    /** Of each repeat, the device's work included; without the copies of z and of the gradient. */
    seconds: number[];
    /** Most bytes allocated on a device beyond what was there before; 0 on the CPU. */
    allocatedPeak: number;
  }>;
}
