/** Probes that are trained on the source batch and tested on held-out groups of it and on every batch never trained on. */
import type { NativeAddon } from '../internal/native.js';
import type { NativeProbe } from '../internal/native-metrics.js';
import type { Interval, LinearProbeResult, ProbeResult, ProbeScore } from '../types.js';
import type { FeatureMatrix } from './evaluate-features.js';
import { countClusters, percentileInterval } from './evaluate-interval.js';
import type { ProbePlan } from './evaluate-probe-plan.js';
import { mean, meanOfDefined, selectRows } from './evaluate-rows.js';

export { type ProbePlan, planProbe } from './evaluate-probe-plan.js';

/** L2 penalties to choose from (scikit-learn's 1/C and alpha), ascending. */
const PENALTIES = [1, 10, 100, 1000, 10_000] as const;
/** With a single training group there is nothing to choose by. */
const UNCHOSEN_PENALTY = 100;

const METRICS = ['balancedAccuracy', 'macroF1', 'auroc'] as const;
type Metric = (typeof METRICS)[number];

export interface ProbeOptions {
  /** Per tile: its patient or slide, numbered. */
  clusters: Int32Array;
  /** Neighbours of the k-NN probe. */
  k: number;
  resamples: number;
  seed: number;
}

export interface ProbeResults {
  probe: LinearProbeResult;
  ridgeProbe: LinearProbeResult;
  knnProbe: ProbeResult;
}

/** A logistic, a ridge and a k-NN probe over the same split. */
export async function probes(
  native: NativeAddon,
  z: FeatureMatrix,
  plan: ProbePlan,
  options: ProbeOptions,
): Promise<ProbeResults> {
  const { linearProbe, ridgeProbe, knnProbe } = native.metrics;
  const linear = async (learn: NativeProbe): Promise<LinearProbeResult> => {
    const penalty = await choosePenalty(native, learn, z, plan);
    return { penalty, ...(await testProbe(native, learn, penalty, z, plan, options)) };
  };
  const training = plan.set.filter((set) => set === 0).length;
  return {
    probe: await linear(linearProbe),
    ridgeProbe: await linear(ridgeProbe),
    knnProbe: await testProbe(native, knnProbe, Math.min(options.k, training), z, plan, options),
  };
}

/** The strongest penalty within one standard error of the best mean balanced accuracy over the folds. */
async function choosePenalty(
  { metrics }: NativeAddon,
  learn: NativeProbe,
  z: FeatureMatrix,
  { truth, fold, folds }: ProbePlan,
): Promise<number> {
  const scores = PENALTIES.map((): number[] => []);
  for (let held = 0; held < folds && folds > 1; held++) {
    const trains = (row: number): boolean => fold[row] !== -1 && fold[row] !== held;
    const trainTruth = truth.filter((_, row) => trains(row));
    const testTruth = truth.filter((_, row) => fold[row] === held);
    if (new Set(trainTruth).size < 2 || testTruth.length === 0) continue;
    const train = selectRows(z, trains);
    const test = selectRows(z, (row) => fold[row] === held);
    for (const [i, penalty] of PENALTIES.entries()) {
      const predicted = mostProbable(await learn(train, trainTruth, test, penalty), testTruth.length);
      (scores[i] as number[]).push(metrics.balancedAccuracy(predicted, testTruth));
    }
  }
  const chosen = withinOneStandardError(scores);
  return chosen === -1 ? UNCHOSEN_PENALTY : (PENALTIES[chosen] as number);
}

/**
 * Index of the last list whose mean is within one standard error of the best mean (Breiman et al. 1984; Hastie et al. 2009, 7.10): the
 * best of noisy scores is often best by luck. -1 where there are no scores.
 */
export function withinOneStandardError(scores: readonly (readonly number[])[]): number {
  const means = scores.map(mean);
  const top = Math.max(...means);
  const best = scores[means.indexOf(top)];
  if (best === undefined || Number.isNaN(top)) return -1;
  const variance = best.reduce((sum, value) => sum + (value - top) ** 2, 0) / Math.max(1, best.length - 1);
  return means.findLastIndex((value) => value >= top - Math.sqrt(variance / best.length));
}

/** Class of the largest score in each of `rows` rows. */
function mostProbable(scores: Float64Array, rows: number): Int32Array {
  const classes = scores.length / rows;
  return Int32Array.from({ length: rows }, (_, row) => {
    const own = scores.subarray(row * classes, (row + 1) * classes);
    return own.indexOf(own.reduce((a, b) => Math.max(a, b)));
  });
}

async function testProbe(
  native: NativeAddon,
  learn: NativeProbe,
  knob: number,
  z: FeatureMatrix,
  plan: ProbePlan,
  options: ProbeOptions,
): Promise<ProbeResult> {
  const { source, truth, set, unseen } = plan;
  const train = selectRows(z, (row) => set[row] === 0);
  const test = selectRows(z, (row) => (set[row] as number) > 0);
  const trainTruth = truth.filter((_, row) => set[row] === 0);
  const scores = await learn(train, trainTruth, test, knob);
  const tested = [...set.keys()].filter((row) => (set[row] as number) > 0);
  const part = (wanted: number): Promise<Scored> => {
    const places = [...tested.keys()].filter((at) => set[tested[at] as number] === wanted);
    const rows = places.map((at) => tested[at] as number);
    return scorePart(native, {
      scores: selectScores(scores, plan.classes, places),
      truth: Int32Array.from(rows, (row) => truth[row] as number),
      clusters: Int32Array.from(rows, (row) => options.clusters[row] as number),
      resamples: options.resamples,
      // Batches are resampled apart from one another.
      seed: options.seed * 1024 + wanted,
    });
  };
  const withinSource = await part(1);
  const each: Scored[] = [];
  for (const i of unseen.keys()) each.push(await part(2 + i));
  return {
    source,
    withinSource: withinSource.score,
    unseen: Object.fromEntries(unseen.map((name, i) => [name, (each[i] as Scored).score])),
    unseenMean: meanScore(each),
  };
}

interface Scored {
  score: ProbeScore;
  /** Samples of each metric, where there are clusters to resample. */
  samples: Record<Metric, Float64Array> | undefined;
}

interface Part {
  /** [rows,classes] */
  scores: Float64Array;
  truth: Int32Array;
  clusters: Int32Array;
  resamples: number;
  seed: number;
}

async function scorePart(
  { metrics }: NativeAddon,
  { scores, truth, clusters, resamples, seed }: Part,
): Promise<Scored> {
  const rows = truth.length;
  const count = countClusters(clusters);
  if (rows === 0) {
    const nothing = { balancedAccuracy: Number.NaN, macroF1: Number.NaN, auroc: Number.NaN };
    return { score: { tiles: 0, clusters: 0, ...nothing, intervals: null }, samples: undefined };
  }
  const classes = scores.length / rows;
  const predicted = mostProbable(scores, rows);
  const auroc = (positive: number): number =>
    metrics.auroc(
      Float64Array.from({ length: rows }, (_, row) => scores[row * classes + positive] as number),
      Uint8Array.from(truth, (value) => Number(value === positive)),
    );
  const drawn =
    count < 2
      ? undefined
      : await metrics.bootstrapScores(
          { data: scores, rows, columns: classes },
          truth,
          clusters,
          resamples,
          seed,
        );
  const samples = drawn && byMetric((_, i) => drawn.filter((_, at) => at % METRICS.length === i));
  return {
    score: {
      tiles: rows,
      clusters: count,
      balancedAccuracy: metrics.balancedAccuracy(predicted, truth),
      macroF1: metrics.f1Macro(predicted, truth),
      auroc: meanOfDefined(classes === 2 ? [auroc(1)] : Array.from({ length: classes }, (_, c) => auroc(c))),
      intervals: samples ? byMetric((metric): Interval => percentileInterval(samples[metric])) : null,
    },
    samples,
  };
}

/** Over batches; a resample of the mean is the mean of resamples of each. */
function meanScore(parts: readonly Scored[]): ProbeScore {
  const present = parts.filter(({ score }) => score.tiles > 0);
  const drawn = present.map(({ samples }) => samples).filter((samples) => samples !== undefined);
  const interval = (metric: Metric): Interval => {
    const resamples = drawn[0]?.[metric].length ?? 0;
    return percentileInterval(
      Array.from({ length: resamples }, (_, r) =>
        meanOfDefined(drawn.map((samples) => samples[metric][r] as number)),
      ),
    );
  };
  return {
    tiles: present.reduce((sum, { score }) => sum + score.tiles, 0),
    clusters: present.reduce((sum, { score }) => sum + score.clusters, 0),
    ...byMetric((metric) => meanOfDefined(present.map(({ score }) => score[metric]))),
    // A batch of one slide has no interval, and then neither has the mean.
    intervals: drawn.length === present.length && drawn.length > 0 ? byMetric(interval) : null,
  };
}

function byMetric<Value>(value: (metric: Metric, index: number) => Value): Record<Metric, Value> {
  return Object.fromEntries(METRICS.map((metric, i) => [metric, value(metric, i)])) as Record<Metric, Value>;
}

function selectScores(scores: Float64Array, classes: number, rows: readonly number[]): Float64Array {
  const selected = new Float64Array(rows.length * classes);
  for (const [i, row] of rows.entries()) {
    selected.set(scores.subarray(row * classes, (row + 1) * classes), i * classes);
  }
  return selected;
}
