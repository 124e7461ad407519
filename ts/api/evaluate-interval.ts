/** 95 % percentile intervals over bootstrap resamples. */
import type { Interval } from '../types.js';

/** The middle 95 % of the samples that are defined, linear between order statistics. */
export function percentileInterval(samples: ArrayLike<number>): Interval {
  const defined = Float64Array.from(samples)
    .filter((value) => !Number.isNaN(value))
    .sort();
  if (defined.length === 0) return [Number.NaN, Number.NaN];
  const at = (share: number): number => {
    const position = share * (defined.length - 1);
    const below = Math.floor(position);
    const low = defined[below] as number;
    const high = defined[Math.min(below + 1, defined.length - 1)] as number;
    return low + (high - low) * (position - below);
  };
  return [at(0.025), at(0.975)];
}

/** How many different ones there are. */
export function countClusters(clusters: Int32Array): number {
  return new Set(clusters).size;
}
