/** What each row of an embedding is of, as the metrics need it: the same for every embedding of the same tiles. */
import { StainfoldError } from '../errors.js';
import { type ProbePlan, planProbe } from './evaluate-probe-plan.js';
import { encodeLabels, type Labels } from './evaluate-rows.js';

/** Columns of the manifest. */
export interface DesignColumns {
  batchColumn: string;
  labelColumn?: string | undefined;
  groupColumn?: string | undefined;
  pairColumn?: string | undefined;
}

export interface DesignOptions extends DesignColumns {
  /** Value of the batch column that probes are trained on and columns standardised by. */
  source: string | undefined;
  /** Neighbours. */
  k: number;
  /** Of the probes' split. */
  seed: number;
}

export interface Design {
  columns: DesignColumns;
  batches: Labels;
  source: string | undefined;
  /** With a label column: index of each row's label, -1 where it has none. */
  labels: Labels | undefined;
  /** Groups, numbered; a row without one is one by itself. Without a group column every row is. */
  clusters: Int32Array;
  /** With a pair column: a row without a pair has one of its own. */
  pairs: Int32Array | undefined;
  /** With a label column and a source. */
  probe: ProbePlan | undefined;
}

/**
 * @param tiles One for each row of the embeddings to come, in their order.
 * @throws STAINFOLD_EVALUATE where nothing could be measured.
 */
export function planDesign(
  tiles: readonly { labels: Record<string, string> }[],
  { source, k, seed, ...columns }: DesignOptions,
): Design {
  const { batchColumn, labelColumn, groupColumn, pairColumn } = columns;
  const fail = (detail: string): StainfoldError => new StainfoldError('STAINFOLD_EVALUATE', detail);
  const valuesOf = (column: string): string[] => tiles.map(({ labels }) => labels[column] ?? '');
  const batches = encodeLabels(valuesOf(batchColumn));
  if (batches.names.length < 2) {
    throw fail(
      `Column '${batchColumn}' holds one value only (${batches.names.join()}): there is nothing to tell apart`,
    );
  }
  const counts = new Int32Array(batches.names.length);
  for (const batch of batches.indices) counts[batch] = (counts[batch] as number) + 1;
  for (const [batch, name] of batches.names.entries()) {
    if (name === '') throw fail(`${counts[batch]} of the tiles have no value in column '${batchColumn}'`);
    if ((counts[batch] as number) < 2) {
      throw fail(`'${name}' in column '${batchColumn}' has ${counts[batch]} tile, 2 are needed at least`);
    }
  }
  if (k >= tiles.length) throw fail(`k is ${k}, but there are only ${tiles.length} tiles`);
  if (source !== undefined && !batches.names.includes(source)) {
    throw fail(`There is no '${source}' in column '${batchColumn}', only ${batches.names.join(', ')}`);
  }
  const pairs = pairColumn === undefined ? undefined : orOwn(valuesOf(pairColumn));
  if (pairs !== undefined && !meets(pairs, batches.indices)) {
    throw fail(`No value of column '${pairColumn}' is in two values of column '${batchColumn}'`);
  }
  return {
    columns,
    batches,
    source,
    labels: labelColumn === undefined ? undefined : labelled(valuesOf(labelColumn)),
    clusters: clustersOf(tiles, groupColumn),
    pairs,
    probe:
      labelColumn === undefined || source === undefined
        ? undefined
        : planProbe(tiles, { batchColumn, labelColumn, groupColumn, source, seed }),
  };
}

/** The group of each row, numbered: what intervals resample. */
export function clustersOf(
  tiles: readonly { labels: Record<string, string> }[],
  groupColumn: string | undefined,
): Int32Array {
  return orOwn(tiles.map(({ labels }) => (groupColumn === undefined ? '' : (labels[groupColumn] ?? ''))));
}

/** Rows of the batch. */
export function rowsOf({ names, indices }: Labels, name: string): Uint32Array {
  const wanted = names.indexOf(name);
  const rows: number[] = [];
  indices.forEach((index, row) => {
    if (index === wanted) rows.push(row);
  });
  return Uint32Array.from(rows);
}

function labelled(values: readonly string[]): Labels {
  const { names, indices } = encodeLabels(values);
  if (names[0] !== '') return { names, indices };
  return { names: names.slice(1), indices: indices.map((index) => index - 1) };
}

/** Numbers the values; an empty one is unlike every other. */
function orOwn(values: readonly string[]): Int32Array {
  return encodeLabels(values.map((value, row) => value || `\0${row}`)).indices;
}

/** Whether a pair is in two batches. */
function meets(pairs: Int32Array, batches: Int32Array): boolean {
  const seen = new Map<number, number>();
  return pairs.some((pair, row) => {
    const batch = batches[row] as number;
    const first = seen.get(pair);
    if (first === undefined) seen.set(pair, batch);
    return first !== undefined && first !== batch;
  });
}
