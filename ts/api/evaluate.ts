import { orderedMap } from '../data/ordered-map.js';
import { openTileSet, type Tile, type TileSet } from '../data/tile-set.js';
import { StainfoldError } from '../errors.js';
import { loadNative } from '../internal/load.js';
import type { NativeAddon, NativeEmbedder } from '../internal/native.js';
import { evaluateSchema, validate } from '../internal/validate.js';
import type { EvaluateOptions, Evaluation, EvaluationRow, ModelInfo, UnreadableTile } from '../types.js';
import { Features } from './evaluate-features.js';
import { type ProbePlan, planProbe, probe } from './evaluate-probe.js';
import { batchScores, encodeLabels, type Labels } from './evaluate-scores.js';
import { isServed, readModel } from './model-file.js';
import { BATCHES_IN_FLIGHT, type PixelBatch, pixelBatches } from './tile-batches.js';
import { requireColumn } from './train-plan.js';

export type EvaluateSettings = ReturnType<typeof validate<typeof evaluateSchema>>;

/**
 * Measures how far the batches (sites, scanners, labs) stand apart in the embedding, and what a linear probe trained on one
 * of them reaches on the others; beside it the same for plain colour statistics and an untrained encoder.
 *
 * All numbers are of columns standardised by the source batch's mean and deviation (of all tiles where no source is known).
 *
 * @example
 * const { rows } = await evaluate({ tiles: 'tiles.csv', model: 'run/model.safetensors', batchColumn: 'site', labelColumn: 'label' });
 *
 * @throws STAINFOLD_EVALUATE, STAINFOLD_MANIFEST, STAINFOLD_TILES_EMPTY, STAINFOLD_TILE_UNREADABLE (strict), STAINFOLD_OPTION,
 *   STAINFOLD_OPTION_UNKNOWN; what loadEncoder throws.
 */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const settings = validate(evaluateSchema, options);
  settings.signal?.throwIfAborted();
  return evaluateWith(() => loadNative({ libtorch: settings.libtorch }), settings);
}

export async function evaluateWith(
  load: () => Promise<NativeAddon>,
  settings: EvaluateSettings,
): Promise<Evaluation> {
  const { batchColumn, labelColumn, groupColumn, signal, onProgress } = settings;
  const set = await openTileSet(settings, signal);
  checkColumns(set, settings);
  const { info, specs, data } = await readModel(settings.model, isServed);
  // Mistakes in the labels are told before an hour is spent on embedding.
  planBatches(set.tiles, settings, info);

  const native = await load();
  if (settings.threads !== undefined) native.setThreads(settings.threads);
  const model = { size: info.size, latent: info.latent, tileSize: info.tileSize };
  const create = (): NativeEmbedder =>
    new native.Embedder({
      model,
      device: settings.device,
      precision: settings.precision,
      seed: settings.seed,
    });
  const trained = create();
  const untrained = settings.baselines.includes('untrained') ? create() : undefined;
  let features: { colour: Features | undefined; untrained: Features | undefined; trained: Features };
  let tiles: Tile[];
  let unreadable: UnreadableTile[];
  try {
    await trained.open(specs, data);
    await untrained?.open([], new Uint8Array(0));
    const report = (done: number): void => onProgress?.({ stage: 'tiles', done, total: set.tiles.length });
    const colour = settings.baselines.includes('colour');
    ({ features, tiles, unreadable } = await describe(
      native,
      set.tiles,
      settings,
      model.tileSize,
      { trained, untrained, colour },
      report,
    ));
  } finally {
    await Promise.all([trained.dispose(), untrained?.dispose()]);
  }

  const { batches, source } = planBatches(tiles, settings, info);
  const probePlan =
    labelColumn === undefined || source === undefined
      ? undefined
      : planProbe(tiles, { batchColumn, labelColumn, groupColumn, source, seed: settings.seed });
  const named: [string, Features | undefined][] = [
    ['colour statistics', features.colour],
    ['untrained encoder', features.untrained],
    ['trained encoder', features.trained],
  ];
  const present = named.filter((entry): entry is [string, Features] => entry[1] !== undefined);
  const rows: EvaluationRow[] = [];
  const scatter: Record<string, Float64Array> = {};
  for (const [name, raw] of present) {
    signal?.throwIfAborted();
    onProgress?.({ stage: 'metrics', done: rows.length, total: present.length });
    const z = await raw.standardised(source === undefined ? undefined : rowsOf(batches, source));
    rows.push(await scoreRow(native, name, z, batches, settings.k, probePlan));
    scatter[name] = await native.metrics.principalComponents(z, 2);
  }
  onProgress?.({ stage: 'metrics', done: rows.length, total: present.length });
  const labelled = tiles.filter(({ labels }) => labelColumn !== undefined && labels[labelColumn] !== '');
  return {
    batchColumn,
    labelColumn: labelColumn ?? null,
    batches: countBy(tiles, batchColumn),
    labels: labelColumn === undefined ? {} : countBy(labelled, labelColumn),
    rows,
    scatter,
    tiles: tiles.map(({ file, labels }) => ({
      file,
      batch: labels[batchColumn] as string,
      label: labelColumn === undefined ? null : labels[labelColumn] || null,
    })),
    unreadable,
  };
}

function checkColumns(set: TileSet, settings: EvaluateSettings): void {
  for (const option of ['batchColumn', 'labelColumn', 'groupColumn'] as const) {
    const column = settings[option];
    if (column !== undefined) requireColumn(set.columns, option, column);
  }
}

/** The batches and the source among them. Throws STAINFOLD_EVALUATE where nothing could be measured. */
function planBatches(
  tiles: readonly Tile[],
  settings: EvaluateSettings,
  info: ModelInfo,
): { batches: Labels; source: string | undefined } {
  const { batchColumn, labelColumn, k } = settings;
  const fail = (detail: string): StainfoldError => new StainfoldError('STAINFOLD_EVALUATE', detail);
  const batches = encodeLabels(tiles.map(({ labels }) => labels[batchColumn] as string));
  const counts = countBy(tiles, batchColumn);
  if (batches.names.length < 2) {
    throw fail(
      `Column '${batchColumn}' holds one value only (${batches.names.join()}): there is nothing to tell apart`,
    );
  }
  for (const [name, count] of Object.entries(counts)) {
    if (name === '') throw fail(`${count} tiles have no value in column '${batchColumn}'`);
    if (count < 2)
      throw fail(`'${name}' in column '${batchColumn}' has ${count} tile, 2 are needed at least`);
  }
  if (k >= tiles.length) throw fail(`k is ${k}, but there are only ${tiles.length} tiles`);
  const provenance = info.provenance.where?.[batchColumn];
  const source =
    settings.source ?? (provenance !== undefined && provenance in counts ? provenance : undefined);
  if (source !== undefined && !Object.hasOwn(counts, source)) {
    throw fail(`There is no '${source}' in column '${batchColumn}', only ${batches.names.join(', ')}`);
  }
  if (source === undefined && labelColumn !== undefined) {
    throw fail(`The model does not say on which '${batchColumn}' it was trained, and no source is given`);
  }
  return { batches, source };
}

async function describe(
  native: NativeAddon,
  tiles: readonly Tile[],
  settings: EvaluateSettings,
  tileSize: number,
  by: { trained: NativeEmbedder; untrained: NativeEmbedder | undefined; colour: boolean },
  report: (done: number) => void,
): Promise<{
  features: { colour: Features | undefined; untrained: Features | undefined; trained: Features };
  tiles: Tile[];
  unreadable: UnreadableTile[];
}> {
  const unreadable = new Map<number, string>();
  const colour = by.colour ? new Features() : undefined;
  const untrained = by.untrained ? new Features() : undefined;
  const trained = new Features();
  const work = async ({ pixels, count }: PixelBatch) => {
    const parts = await Promise.all([
      colour && native.metrics.colourStatistics(pixels, count, tileSize, tileSize),
      by.untrained?.embed(pixels, count),
      by.trained.embed(pixels, count),
    ]);
    return { parts, count };
  };
  const { batchSize, signal, strict } = settings;
  const onUnreadable = strict
    ? undefined
    : (index: number, reason: string) => void unreadable.set(index, reason);
  const paths = tiles.map(({ path }) => path);
  const batches = pixelBatches(paths, { tileSize, batchSize, signal, onUnreadable });
  let done = 0;
  for await (const { parts, count } of orderedMap(batches, BATCHES_IN_FLIGHT, work, signal)) {
    if (parts[0] !== undefined) colour?.add(parts[0], count);
    if (parts[1] !== undefined) untrained?.add(parts[1], count);
    trained.add(parts[2], count);
    done += count;
    report(done);
  }
  return {
    features: { colour, untrained, trained },
    tiles: tiles.filter((_, index) => !unreadable.has(index)),
    unreadable: [...unreadable].map(([index, reason]) => ({ file: (tiles[index] as Tile).file, reason })),
  };
}

async function scoreRow(
  native: NativeAddon,
  name: string,
  z: { data: Float32Array; rows: number; columns: number },
  batches: Labels,
  k: number,
  plan: ProbePlan | undefined,
): Promise<EvaluationRow> {
  const scores = await batchScores(native, z, batches, k);
  const row = { name, dimensions: z.columns, ...scores };
  return plan === undefined ? row : { ...row, probe: await probe(native, z, plan) };
}

function countBy(tiles: readonly Tile[], column: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { labels } of tiles) {
    const value = labels[column] as string;
    counts[value] = (counts[value] ?? 0) + 1;
  }
  return counts;
}

function rowsOf({ names, indices }: Labels, name: string): Uint32Array {
  const wanted = names.indexOf(name);
  const rows: number[] = [];
  indices.forEach((index, row) => {
    if (index === wanted) rows.push(row);
  });
  return Uint32Array.from(rows);
}
