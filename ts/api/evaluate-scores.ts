/** How far apart the batches stand. */
import type { NativeAddon } from '../internal/native.js';
import type { EvaluationRow } from '../types.js';
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

export async function batchScores(
  { metrics }: NativeAddon,
  z: FeatureMatrix,
  { names, indices }: Labels,
  k: number,
): Promise<Pick<EvaluationRow, 'silhouette' | 'batchKnn' | 'batchKnnChance' | 'lisi' | 'w2'>> {
  const predicted = await metrics.knnPredict(z, indices, k);
  return {
    silhouette: {
      euclidean: mean(await metrics.silhouette(z, indices, 'euclidean')),
      cosine: mean(await metrics.silhouette(z, indices, 'cosine')),
    },
    batchKnn: metrics.balancedAccuracy(predicted, indices),
    batchKnnChance: 1 / names.length,
    lisi: await metrics.lisi(z, indices, k),
    w2: await meanWasserstein(metrics, z, { names, indices }),
  };
}

/** Mean over pairs of batches, per dimension. */
async function meanWasserstein(
  metrics: NativeAddon['metrics'],
  z: FeatureMatrix,
  { names, indices }: Labels,
): Promise<number> {
  const parts = names.map((_, batch) => selectRows(z, (row) => indices[row] === batch));
  const distances: number[] = [];
  for (const [i, a] of parts.entries()) {
    for (const b of parts.slice(i + 1)) distances.push(await metrics.frechetDistance(a, b));
  }
  return mean(distances) / z.columns;
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
