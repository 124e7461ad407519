/** One run's embeddings as numbers. */
import type { NativeAddon } from '../../internal/native.js';
import { spread } from '../../report/charts.js';
import type { BenchmarkScores, BenchmarkSiteScores, Embeddings } from '../../types.js';
import { clustersOf } from '../evaluate-design.js';
import { type FeatureMatrix, standardise } from '../evaluate-features.js';
import { planProbe, probes } from '../evaluate-probe.js';
import { encodeLabels, selectRows } from '../evaluate-rows.js';
import { batchScores } from '../evaluate-scores.js';
import type { BenchmarkPlan } from './plan.js';
import type { Scatter } from './records.js';

/** A tile as the scores need it. */
export interface ScoredTile {
  file: string;
  labels: Record<string, string>;
}

/** Raised when the same embeddings come to other scores. */
export const SCORE_VERSION = 2;

/** Behind the interval of each probe. */
const RESAMPLES = 1000;

/** More would make the report heavy, and hide each other. */
const SCATTER_TILES = 320;

/** Embeddings, their columns standardised by the source's tiles, on all sites and on the unseen ones alone. */
export async function score(
  native: NativeAddon,
  { data, shape }: Embeddings,
  tiles: readonly ScoredTile[],
  { settings }: BenchmarkPlan,
  seed: number,
): Promise<{ scores: BenchmarkScores; scatter: Scatter }> {
  const { batchColumn, labelColumn, groupColumn, source, evaluation } = settings;
  const sites = tiles.map(({ labels }) => labels[batchColumn] as string);
  const isSource = sites.map((site) => site === source);
  const rows = Uint32Array.from(sites.keys()).filter((row) => isSource[row]);
  const z = await standardise({ data, rows: shape[0], columns: shape[1] }, rows);
  const unseen = sites.filter((site) => site !== source);
  const plan =
    labelColumn === undefined
      ? undefined
      : planProbe(tiles, { batchColumn, labelColumn, groupColumn, source, seed });
  const scores: BenchmarkScores = {
    dimensions: z.columns,
    all: await siteScores(native, z, sites, evaluation.k),
    unseen:
      new Set(unseen).size < 2
        ? null
        : await siteScores(
            native,
            selectRows(z, (row) => !isSource[row]),
            unseen,
            evaluation.k,
          ),
    probe:
      plan === undefined
        ? null
        : (
            await probes(native, z, plan, {
              clusters: clustersOf(tiles, groupColumn),
              k: evaluation.k,
              resamples: RESAMPLES,
              seed,
            })
          ).probe,
    probeChance: plan === undefined ? null : 1 / plan.classes,
  };
  return { scores, scatter: await scatterOf(native, z, tiles, settings) };
}

async function siteScores(
  native: NativeAddon,
  z: FeatureMatrix,
  sites: readonly string[],
  k: number,
): Promise<BenchmarkSiteScores> {
  const labels = encodeLabels(sites);
  const { batchKnn, batchKnnChance, ...rest } = await batchScores(native, z, labels, k);
  return { ...rest, sites: labels.names.length, knn: batchKnn, chance: batchKnnChance };
}

async function scatterOf(
  { metrics }: NativeAddon,
  z: FeatureMatrix,
  tiles: readonly ScoredTile[],
  { batchColumn, labelColumn }: BenchmarkPlan['settings'],
): Promise<Scatter> {
  const points = await metrics.principalComponents(z, 2);
  const shown = spread(tiles.length, SCATTER_TILES);
  const shorten = (value: number | undefined): number => Number((value ?? 0).toPrecision(4));
  return {
    points: shown.flatMap((row) => [shorten(points[2 * row]), shorten(points[2 * row + 1])]),
    sites: shown.map((row) => tiles[row]?.labels[batchColumn] ?? ''),
    labels: shown.map((row) => (labelColumn && tiles[row]?.labels[labelColumn]) || null),
  };
}
