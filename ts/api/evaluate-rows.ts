/** Labels by number, rows by label, means. */
import type { FeatureMatrix } from './evaluate-features.js';

/** Names in order, and each row's index into them. */
export interface Labels {
  names: string[];
  indices: Int32Array;
}

export function encodeLabels(values: readonly string[]): Labels {
  const names = [...new Set(values)].sort();
  const index = new Map(names.map((name, i) => [name, i]));
  return { names, indices: Int32Array.from(values, (value) => index.get(value) as number) };
}

export function selectRows(
  { data, rows, columns }: FeatureMatrix,
  keep: (row: number) => boolean,
): FeatureMatrix {
  const kept: number[] = [];
  for (let row = 0; row < rows; row++) if (keep(row)) kept.push(row);
  const selected = new Float32Array(kept.length * columns);
  for (const [i, row] of kept.entries()) {
    selected.set(data.subarray(row * columns, (row + 1) * columns), i * columns);
  }
  return { data: selected, rows: kept.length, columns };
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum / values.length;
}

/** NaN is left out: a class that a batch lacks has no AUROC there. */
export function meanOfDefined(values: readonly number[]): number {
  return mean(values.filter((value) => !Number.isNaN(value)));
}
