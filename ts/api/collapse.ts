/** Watches an encoder's run for a collapse: all tiles with one embedding. */
import { StainfoldError } from '../errors.js';

/** Below this effective rank all rows of z point one way; a single step may, a run that stays there has collapsed. */
const COLLAPSED_RANK = 1.1;
const COLLAPSED_STEPS = 20;

export class CollapseWatch {
  #steps = 0;

  /** The last steps may be the beginning of one. */
  get suspects(): boolean {
    return this.#steps > 0;
  }

  /** Throws STAINFOLD_COLLAPSE at the last of too many such steps in a row. */
  see({ rank, step }: { rank: number; step: number }): void {
    this.#steps = rank < COLLAPSED_RANK ? this.#steps + 1 : 0;
    if (this.#steps < COLLAPSED_STEPS) return;
    throw new StainfoldError(
      'STAINFOLD_COLLAPSE',
      `All tiles have had the same embedding for ${COLLAPSED_STEPS} steps, up to step ${step} (effective rank ${rank.toFixed(2)})`,
    );
  }
}
