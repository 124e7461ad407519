/** One run's embeddings as numbers. */
import type { NativeAddon } from '../../internal/native.js';
import { spread } from '../../report/charts.js';
import type { BenchmarkScores, BenchmarkSiteScores, Embeddings } from '../../types.js';
import { clustersOf, planDesign, rowsOf } from '../evaluate-design.js';
import { type FeatureMatrix, standardise } from '../evaluate-features.js';
import { encodeLabels, selectRows } from '../evaluate-rows.js';
import { type BatchScores, batchScores, scoreEmbeddings } from '../evaluate-scores.js';
import type { BenchmarkPlan } from './plan.js';
import type { Scatter } from './records.js';

/** A tile as the scores need it. */
export interface ScoredTile {
  file: string;
  labels: Record<string, string>;
}

/** Raised when the same embeddings come to other scores. */
export const SCORE_VERSION = 3;

/** More would make the report heavy, and hide each other. */
const SCATTER_TILES = 320;

/** Embeddings, their columns standardised by the source's tiles, on all sites and on the unseen ones alone. */
export async function score(
  native: NativeAddon,
  { data, shape: [rows, columns] }: Embeddings,
  tiles: readonly ScoredTile[],
  { settings }: BenchmarkPlan,
  seed: number,
): Promise<{ scores: BenchmarkScores; scatter: Scatter }> {
  const { batchColumn, labelColumn, groupColumn, source, evaluation, signal } = settings;
  const { k, bootstrap } = evaluation;
  const design = planDesign(tiles, { batchColumn, labelColumn, groupColumn, source, k, seed });
  const matrix: FeatureMatrix = { data, rows, columns };
  const options = { k, resamples: bootstrap, permutations: 0, seed, signal };
  const { row, scatter } = await scoreEmbeddings(native, 'embedding', matrix, design, options);
  const { probe, ridgeProbe, knnProbe } = row;
  const scores: BenchmarkScores = {
    dimensions: columns,
    all: sitesOf(row, row.permanova.r2, design.batches.names.length),
    unseen: await unseenScores(native, matrix, tiles, settings, rowsOf(design.batches, source)),
    probe: probe ?? null,
    ...(ridgeProbe && { ridgeProbe }),
    ...(knnProbe && { knnProbe }),
    probeChance: design.probe ? 1 / design.probe.classes : null,
  };
  return { scores, scatter: shown(scatter, tiles, settings) };
}

function sitesOf(
  { silhouette, batchKnn, batchKnnOtherGroups, batchKnnChance, lisi, kbet, w2 }: BatchScores,
  varianceExplained: number,
  sites: number,
): BenchmarkSiteScores {
  return {
    sites,
    silhouette,
    knn: batchKnn,
    ...(batchKnnOtherGroups !== undefined && { knnOtherGroups: batchKnnOtherGroups }),
    chance: batchKnnChance,
    lisi,
    kbet,
    w2,
    varianceExplained,
  };
}

/** Null where fewer than two sites are unseen. */
async function unseenScores(
  native: NativeAddon,
  matrix: FeatureMatrix,
  tiles: readonly ScoredTile[],
  { batchColumn, groupColumn, source, evaluation }: BenchmarkPlan['settings'],
  sourceRows: Uint32Array,
): Promise<BenchmarkSiteScores | null> {
  const isUnseen = tiles.map(({ labels }) => labels[batchColumn] !== source);
  const unseen = tiles.filter((_, row) => isUnseen[row]);
  const labels = encodeLabels(unseen.map((tile) => tile.labels[batchColumn] as string));
  if (labels.names.length < 2) return null;
  const z = selectRows(await standardise(matrix, sourceRows), (row) => isUnseen[row] as boolean);
  const scores = await batchScores(
    native,
    z,
    labels,
    evaluation.k,
    groupColumn === undefined ? undefined : clustersOf(unseen, groupColumn),
  );
  const { r2 } = await native.metrics.permanova(z, labels.indices, null, 0, 1);
  return sitesOf(scores, r2, labels.names.length);
}

function shown(
  points: Float64Array,
  tiles: readonly ScoredTile[],
  { batchColumn, labelColumn }: BenchmarkPlan['settings'],
): Scatter {
  const rows = spread(tiles.length, SCATTER_TILES);
  const shorten = (value: number | undefined): number => Number((value ?? 0).toPrecision(4));
  return {
    points: rows.flatMap((row) => [shorten(points[2 * row]), shorten(points[2 * row + 1])]),
    sites: rows.map((row) => tiles[row]?.labels[batchColumn] ?? ''),
    labels: rows.map((row) => (labelColumn && tiles[row]?.labels[labelColumn]) || null),
  };
}
