/** A linear probe trained on the source batch and tested on held-out groups of it and on every batch never trained on. */
import { permutation } from '../data/order.js';
import type { Tile } from '../data/tile-set.js';
import { StainfoldError } from '../errors.js';
import type { NativeAddon } from '../internal/native.js';
import type { EvaluationRow, ProbeScore } from '../types.js';
import type { FeatureMatrix } from './evaluate-features.js';
import { mean, selectRows } from './evaluate-scores.js';

export interface ProbePlan {
  source: string;
  classes: number;
  /** Per tile: its class; -1 where it has none, or one that the probe never saw. */
  truth: Int32Array;
  /** Per tile: index into `sets`; -1 = left out. Set 0 trains, set 1 is the source's held-out part. */
  set: Int32Array;
  /** Per tile of set 0: its fold in choosing the penalty; -1 elsewhere. A group is in one fold. */
  fold: Int32Array;
  folds: number;
  /** Names of the unseen batches: set 2 onwards. */
  unseen: string[];
}

/** Part of the source's groups that trains. */
const TRAIN_SHARE = 0.8;
/** L2 penalties to choose from (scikit-learn's 1/C), by cross-validation within the training part of the source. */
const PENALTIES = [1, 10, 100, 1000, 10_000] as const;
/** With a single training group there is nothing to choose by. */
const UNCHOSEN_PENALTY = 100;
const FOLDS = 4;
const STREAM = 0x70726f62;

export function planProbe(
  tiles: readonly Tile[],
  by: {
    batchColumn: string;
    labelColumn: string;
    groupColumn: string | undefined;
    source: string;
    seed: number;
  },
): ProbePlan {
  const { batchColumn, labelColumn, groupColumn, source, seed } = by;
  const fail = (detail: string): StainfoldError => new StainfoldError('STAINFOLD_EVALUATE', detail);
  const batchOf = ({ labels }: Tile): string => labels[batchColumn] as string;
  const labelOf = ({ labels }: Tile): string => labels[labelColumn] as string;
  const groupOf = (tile: Tile, i: number): string =>
    (groupColumn === undefined ? '' : (tile.labels[groupColumn] as string)) || `\0${i}`;

  const usable = tiles.map((tile, i) => ({ tile, i })).filter(({ tile }) => labelOf(tile) !== '');
  const ofSource = usable.filter(({ tile }) => batchOf(tile) === source);
  const groups = [...new Set(ofSource.map(({ tile, i }) => groupOf(tile, i)))].sort();
  if (groups.length < 2) {
    throw fail(
      `'${source}' has ${groups.length} ${groupColumn ?? 'labelled tile'}: a probe needs 2 at least, one to hold out`,
    );
  }
  const order = permutation(groups.length, seed, STREAM);
  const training = Math.min(groups.length - 1, Math.max(1, Math.round(groups.length * TRAIN_SHARE)));
  const trainGroups = new Set(Array.from(order.subarray(0, training), (g) => groups[g] as string));
  const trains = ({ tile, i }: { tile: Tile; i: number }): boolean => trainGroups.has(groupOf(tile, i));

  const classes = [...new Set(ofSource.filter(trains).map(({ tile }) => labelOf(tile)))].sort();
  if (classes.length < 2) {
    throw fail(
      `'${source}' has only the label '${classes.join()}' in column '${labelColumn}' to train a probe on`,
    );
  }
  const unseen = [...new Set(tiles.map(batchOf))].filter((name) => name !== source).sort();
  const truth = new Int32Array(tiles.length).fill(-1);
  const set = new Int32Array(tiles.length).fill(-1);
  const fold = new Int32Array(tiles.length).fill(-1);
  const folds = Math.min(FOLDS, training);
  const place = new Map(Array.from(order, (g, at) => [groups[g] as string, at]));
  for (const { tile, i } of usable) {
    truth[i] = classes.indexOf(labelOf(tile));
    if (truth[i] === -1) continue;
    if (batchOf(tile) !== source) set[i] = 2 + unseen.indexOf(batchOf(tile));
    else if (!trains({ tile, i })) set[i] = 1;
    else {
      set[i] = 0;
      fold[i] = (place.get(groupOf(tile, i)) as number) % folds;
    }
  }
  return { source, classes: classes.length, truth, set, fold, folds, unseen };
}

/** The penalty with the best mean balanced accuracy over the folds; of equals the stronger one. */
async function choosePenalty(
  { metrics }: NativeAddon,
  z: FeatureMatrix,
  { truth, fold, folds }: ProbePlan,
): Promise<number> {
  if (folds < 2) return UNCHOSEN_PENALTY;
  let best = { penalty: UNCHOSEN_PENALTY as number, score: Number.NEGATIVE_INFINITY };
  for (const penalty of PENALTIES) {
    const scores: number[] = [];
    for (let held = 0; held < folds; held++) {
      const train = selectRows(z, (row) => fold[row] !== -1 && fold[row] !== held);
      const test = selectRows(z, (row) => fold[row] === held);
      const trainTruth = truth.filter((_, row) => fold[row] !== -1 && fold[row] !== held);
      const testTruth = truth.filter((_, row) => fold[row] === held);
      if (new Set(trainTruth).size < 2 || testTruth.length === 0) continue;
      const probabilities = await metrics.linearProbe(train, trainTruth, test, penalty);
      const predicted = mostProbable(probabilities, testTruth.length);
      scores.push(metrics.balancedAccuracy(predicted, testTruth));
    }
    const score = mean(scores);
    if (score >= best.score) best = { penalty, score };
  }
  return best.penalty;
}

/** Class of the largest probability in each of `rows` rows. */
function mostProbable(probabilities: Float64Array, rows: number): Int32Array {
  const classes = probabilities.length / rows;
  return Int32Array.from({ length: rows }, (_, row) => {
    const p = probabilities.subarray(row * classes, (row + 1) * classes);
    return p.indexOf(p.reduce((a, b) => Math.max(a, b)));
  });
}

export async function probe(
  native: NativeAddon,
  z: FeatureMatrix,
  plan: ProbePlan,
): Promise<NonNullable<EvaluationRow['probe']>> {
  const { metrics } = native;
  const { source, classes, truth, set, unseen } = plan;
  const penalty = await choosePenalty(native, z, plan);
  const train = selectRows(z, (row) => set[row] === 0);
  const test = selectRows(z, (row) => (set[row] as number) > 0);
  const trainTruth = truth.filter((_, row) => set[row] === 0);
  const testTruth = truth.filter((_, row) => (set[row] as number) > 0);
  const testSet = set.filter((value) => value > 0);
  const probabilities = await metrics.linearProbe(train, trainTruth, test, penalty);
  const decided = mostProbable(probabilities, testTruth.length);

  const scoreOf = (wanted: number): ProbeScore => {
    const rows = [...testSet.keys()].filter((row) => testSet[row] === wanted);
    const actual = Int32Array.from(rows, (row) => testTruth[row] as number);
    const predicted = Int32Array.from(rows, (row) => decided[row] as number);
    const auroc = (positive: number): number =>
      metrics.auroc(
        Float64Array.from(rows, (row) => probabilities[row * classes + positive] as number),
        Uint8Array.from(actual, (value) => Number(value === positive)),
      );
    const empty = rows.length === 0;
    return {
      tiles: rows.length,
      balancedAccuracy: empty ? Number.NaN : metrics.balancedAccuracy(predicted, actual),
      macroF1: empty ? Number.NaN : metrics.f1Macro(predicted, actual),
      auroc: empty
        ? Number.NaN
        : meanOfDefined(classes === 2 ? [auroc(1)] : Array.from({ length: classes }, (_, c) => auroc(c))),
    };
  };

  const scores = unseen.map((name, i) => [name, scoreOf(2 + i)] as const);
  const average = (key: 'balancedAccuracy' | 'macroF1' | 'auroc'): number =>
    meanOfDefined(scores.map(([, score]) => score[key]));
  return {
    source,
    penalty,
    withinSource: scoreOf(1),
    unseen: Object.fromEntries(scores),
    unseenMean: {
      tiles: scores.reduce((sum, [, score]) => sum + score.tiles, 0),
      balancedAccuracy: average('balancedAccuracy'),
      macroF1: average('macroF1'),
      auroc: average('auroc'),
    },
  };
}

/** A class that a batch lacks has no AUROC there: NaN, and left out of means. */
function meanOfDefined(values: readonly number[]): number {
  return mean(values.filter((value) => !Number.isNaN(value)));
}
