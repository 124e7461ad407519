/** Who trains a probe and who tests it: whole groups of the source train, the others and every other batch test. */
import { permutation } from '../data/order.js';
import { StainfoldError } from '../errors.js';

interface Labelled {
  labels: Record<string, string>;
}

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
const FOLDS = 4;
const STREAM = 0x70726f62;

export function planProbe(
  tiles: readonly Labelled[],
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
  const batchOf = ({ labels }: Labelled): string => labels[batchColumn] as string;
  const labelOf = ({ labels }: Labelled): string => labels[labelColumn] as string;
  const groupOf = (tile: Labelled, i: number): string =>
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
  const trains = ({ tile, i }: { tile: Labelled; i: number }): boolean => trainGroups.has(groupOf(tile, i));

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
