/** Every metric of one embedding. */
import type { NativeAddon } from '../internal/native.js';
import type { EvaluationRow, RandScore, RetrievalHits, RetrievalScore } from '../types.js';
import { type Design, rowsOf } from './evaluate-design.js';
import { type FeatureMatrix, standardise } from './evaluate-features.js';
import { countClusters, percentileInterval } from './evaluate-interval.js';
import { probes } from './evaluate-probe.js';
import { type Labels, mean, selectRows } from './evaluate-rows.js';

export interface ScoreOptions {
  /** Neighbours; below the number of rows. */
  k: number;
  /** Of every interval. */
  resamples: number;
  /** Of permanova's p-value. */
  permutations: number;
  seed: number;
  signal?: AbortSignal | undefined;
}

/**
 * One row of the table, and the first two principal components for pictures. `matrix` is as the encoder gave it: the columns are
 * standardised here, by the source of the design. One embedding after another: nothing of size N x N exists.
 */
export async function scoreEmbeddings(
  native: NativeAddon,
  name: string,
  matrix: FeatureMatrix,
  design: Design,
  options: ScoreOptions,
): Promise<{ row: EvaluationRow; scatter: Float64Array }> {
  const { source, batches, clusters, columns } = design;
  const z = await standardise(matrix, source === undefined ? undefined : rowsOf(batches, source));
  const check = (): void => options.signal?.throwIfAborted();
  check();
  const scores = await batchScores(
    native,
    z,
    batches,
    options.k,
    columns.groupColumn === undefined ? undefined : clusters,
  );
  check();
  const permanova = await varianceBetween(native, z, design, options);
  const ari = await clusterAgreement(native, z, design, options);
  check();
  const retrieval = design.pairs && (await retrieve(native, z, design, design.pairs));
  check();
  const probed = design.probe && (await probes(native, z, design.probe, { ...options, clusters }));
  check();
  const scatter = await native.metrics.principalComponents(z, 2);
  const row = { name, dimensions: z.columns, ...scores, permanova, ari };
  return { row: { ...row, ...(retrieval && { retrieval }), ...probed }, scatter };
}

export type BatchScores = Pick<
  EvaluationRow,
  'silhouette' | 'batchKnn' | 'batchKnnOtherGroups' | 'batchKnnChance' | 'lisi' | 'kbet' | 'w2'
>;

/** @param groups Numbered, one for each row; absent without a group column. */
export async function batchScores(
  { metrics }: NativeAddon,
  z: FeatureMatrix,
  batches: Labels,
  k: number,
  groups: Int32Array | undefined,
): Promise<BatchScores> {
  const { names, indices } = batches;
  const others = groups !== undefined && eachHasTwo(batches, groups) ? groups : null;
  const { predicted, predictedOtherGroups, lisi, kbet } = await metrics.neighbourScores(
    z,
    indices,
    k,
    others,
  );
  return {
    silhouette: {
      euclidean: mean(await metrics.silhouette(z, indices, 'euclidean')),
      cosine: mean(await metrics.silhouette(z, indices, 'cosine')),
    },
    batchKnn: metrics.balancedAccuracy(predicted, indices),
    ...(predictedOtherGroups && {
      batchKnnOtherGroups: metrics.balancedAccuracy(predictedOtherGroups, indices),
    }),
    batchKnnChance: 1 / names.length,
    lisi,
    kbet,
    w2: await meanWasserstein(metrics, z, batches),
  };
}

/** A batch of one group is never found from other groups: its recall would be 0 whatever the embedding. */
function eachHasTwo({ names, indices }: Labels, groups: Int32Array): boolean {
  const found = names.map(() => new Set<number>());
  groups.forEach((group, row) => {
    found[indices[row] as number]?.add(group);
  });
  return found.every(({ size }) => size > 1);
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

async function varianceBetween(
  { metrics }: NativeAddon,
  z: FeatureMatrix,
  { batches, clusters, columns }: Design,
  { permutations, seed }: ScoreOptions,
): Promise<EvaluationRow['permanova']> {
  const { r2, f, p, units } = await metrics.permanova(z, batches.indices, clusters, permutations, seed);
  return { r2, f, p, permutations, unit: units < z.rows ? (columns.groupColumn ?? 'tile') : 'tile' };
}

/** k-means with as many clusters as there are batches, and with as many as there are labels over the labelled rows. */
async function clusterAgreement(
  { metrics }: NativeAddon,
  z: FeatureMatrix,
  { batches, labels, clusters }: Design,
  { resamples, seed }: ScoreOptions,
): Promise<EvaluationRow['ari']> {
  const agreement = async (
    rows: FeatureMatrix,
    truth: Int32Array,
    groups: Int32Array,
    count: number,
  ): Promise<RandScore> => {
    const found = await metrics.kmeans(rows, Math.min(count, rows.rows), seed);
    const value = metrics.adjustedRandIndex(found, truth);
    if (countClusters(groups) < 2) return { value, interval: null };
    const samples = await metrics.bootstrapRandIndex(found, truth, groups, resamples, seed);
    return { value, interval: percentileInterval(samples) };
  };
  const batch = await agreement(z, batches.indices, clusters, batches.names.length);
  if (labels === undefined || labels.names.length < 2) return { batch, label: null };
  const has = (row: number): boolean => labels.indices[row] !== -1;
  const truth = labels.indices.filter((_, row) => has(row));
  const groups = clusters.filter((_, row) => has(row));
  return { batch, label: await agreement(selectRows(z, has), truth, groups, labels.names.length) };
}

async function retrieve(
  { metrics }: NativeAddon,
  z: FeatureMatrix,
  { batches, source }: Design,
  pairs: Int32Array,
): Promise<RetrievalScore> {
  const { names, indices } = batches;
  const { queries, gallery, top1, top5 } = await metrics.retrieve(z, indices, pairs);
  const asked = [...queries.keys()].filter((cell) => (queries[cell] as number) > 0);
  const from = (cell: number): string => names[Math.floor(cell / names.length)] as string;
  const to = (cell: number): string => names[cell % names.length] as string;
  const sum = (values: Float64Array, cells: readonly number[]): number =>
    cells.reduce((total, cell) => total + (values[cell] as number), 0);
  const hits = (cells: readonly number[]): RetrievalHits => {
    const count = sum(queries, cells);
    return { queries: count, top1: sum(top1, cells) / count, top5: sum(top5, cells) / count };
  };
  const unseen = asked.filter((cell) => from(cell) !== source && to(cell) !== source);
  const guessed = asked.reduce(
    (total, cell) => total + (queries[cell] as number) / (gallery[cell] as number),
    0,
  );
  return {
    ...hits(asked),
    chance: guessed / sum(queries, asked),
    unseen: source === undefined || unseen.length === 0 ? null : hits(unseen),
    between: asked.map((cell) => ({ from: from(cell), to: to(cell), ...hits([cell]) })),
  };
}
