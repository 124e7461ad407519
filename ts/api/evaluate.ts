import { orderedMap } from '../data/ordered-map.js';
import { openTileSet, type Tile } from '../data/tile-set.js';
import { StainfoldError } from '../errors.js';
import { loadNative } from '../internal/load.js';
import type { NativeAddon, NativeEmbedder } from '../internal/native.js';
import { evaluateSchema, validate } from '../internal/validate.js';
import type { EvaluateOptions, Evaluation, EvaluationRow, ModelInfo, UnreadableTile } from '../types.js';
import { type Design, planDesign } from './evaluate-design.js';
import { Features } from './evaluate-features.js';
import { type Labelled, type NamedEmbedding, openEmbeddings } from './evaluate-files.js';
import { scoreEmbeddings } from './evaluate-scores.js';
import { isServed, readModel } from './model-file.js';
import { BATCHES_IN_FLIGHT, type PixelBatch, pixelBatches } from './tile-batches.js';
import { requireColumn } from './train-plan.js';

export type EvaluateSettings = ReturnType<typeof validate<typeof evaluateSchema>>;

/**
 * Measures how far the batches (sites, scanners, labs) stand apart in an embedding, and what probes trained on one of them reach
 * on the others: of a model, beside plain colour statistics and an untrained encoder, or of embeddings from files.
 *
 * All numbers are of columns standardised by the source batch's mean and deviation (of all tiles where no source is known).
 *
 * @example
 * const { rows } = await evaluate({ tiles: 'tiles.csv', model: 'run/model.safetensors', batchColumn: 'site', labelColumn: 'label' });
 *
 * @example
 * await evaluate({ tiles: 'tiles.csv', embeddings: ['uni.h5', 'conch.parquet'], batchColumn: 'site', labelColumn: 'label', source: 'UMCU' });
 *
 * @throws STAINFOLD_EVALUATE, STAINFOLD_EMBEDDINGS, STAINFOLD_MANIFEST, STAINFOLD_TILES_EMPTY, STAINFOLD_TILE_UNREADABLE (strict),
 *   STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN; what loadEncoder throws.
 */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const settings = validate(evaluateSchema, options);
  settings.signal?.throwIfAborted();
  return evaluateWith(() => loadNative(settings), settings);
}

export async function evaluateWith(
  load: () => Promise<NativeAddon>,
  settings: EvaluateSettings,
): Promise<Evaluation> {
  const { model, embeddings } = settings;
  if (embeddings !== undefined && model === undefined) return evaluateFiles(load, settings, embeddings);
  if (model !== undefined && embeddings === undefined) return evaluateModel(load, settings, model);
  throw new StainfoldError(
    'STAINFOLD_OPTION',
    model === undefined ? 'There is neither a model nor embeddings' : 'There are both a model and embeddings',
    { hint: 'Give either model or embeddings.' },
  );
}

async function evaluateFiles(
  load: () => Promise<NativeAddon>,
  settings: EvaluateSettings,
  paths: readonly string[],
): Promise<Evaluation> {
  const { signal, where } = settings;
  const { tiles, columns, open } = await openEmbeddings({ tiles: settings.tiles, where }, paths, signal);
  checkColumns(columns, settings);
  const design = planDesign(tiles, { ...settings, source: sourceOf(settings, undefined) });
  const native = await load();
  if (settings.threads !== undefined) native.setThreads(settings.threads);
  return measure(native, settings, { tiles, unreadable: [] }, design, open);
}

async function evaluateModel(
  load: () => Promise<NativeAddon>,
  settings: EvaluateSettings,
  path: string,
): Promise<Evaluation> {
  const { signal, onProgress } = settings;
  const set = await openTileSet(settings, signal);
  checkColumns(set.columns, settings);
  const { info, specs, data } = await readModel(path, isServed);
  const plan = (tiles: readonly Tile[]): Design =>
    planDesign(tiles, { ...settings, source: sourceOf(settings, provenance(settings, info, tiles)) });
  // Mistakes in the labels are told before an hour is spent on embedding.
  plan(set.tiles);

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
  let described: Awaited<ReturnType<typeof describe>>;
  try {
    await trained.open(specs, data);
    await untrained?.open([], new Uint8Array(0));
    const report = (done: number): void => onProgress?.({ stage: 'tiles', done, total: set.tiles.length });
    const colour = settings.baselines.includes('colour');
    described = await describe(
      native,
      set.tiles,
      settings,
      model.tileSize,
      { trained, untrained, colour },
      report,
    );
  } finally {
    await Promise.all([trained.dispose(), untrained?.dispose()]);
  }
  const { features, tiles } = described;
  const named: [string, Features | undefined][] = [
    ['colour statistics', features.colour],
    ['untrained encoder', features.untrained],
    ['trained encoder', features.trained],
  ];
  const embeddings = named.flatMap(([name, raw]) =>
    raw === undefined ? [] : [{ name, matrix: async () => raw.matrix() }],
  );
  return measure(native, settings, described, plan(tiles), embeddings);
}

async function measure(
  native: NativeAddon,
  settings: EvaluateSettings,
  { tiles, unreadable }: { tiles: readonly Labelled[]; unreadable: UnreadableTile[] },
  design: Design,
  embeddings: readonly NamedEmbedding[],
): Promise<Evaluation> {
  const { batchColumn, labelColumn, groupColumn, resamples, signal, onProgress } = settings;
  const rows: EvaluationRow[] = [];
  const scatter: Record<string, Float64Array> = {};
  for (const { name, matrix } of embeddings) {
    signal?.throwIfAborted();
    onProgress?.({ stage: 'metrics', done: rows.length, total: embeddings.length });
    const scored = await scoreEmbeddings(native, name, await matrix(), design, settings);
    rows.push(scored.row);
    scatter[name] = scored.scatter;
  }
  onProgress?.({ stage: 'metrics', done: rows.length, total: embeddings.length });
  const labelled = tiles.filter(({ labels }) => labelColumn !== undefined && labels[labelColumn] !== '');
  return {
    batchColumn,
    labelColumn: labelColumn ?? null,
    batches: countBy(tiles, batchColumn),
    labels: labelColumn === undefined ? {} : countBy(labelled, labelColumn),
    source: design.source ?? null,
    bootstrap: { resamples, unit: groupColumn ?? 'tile' },
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

function checkColumns(columns: readonly string[], settings: EvaluateSettings): void {
  for (const option of ['batchColumn', 'labelColumn', 'groupColumn', 'pairColumn'] as const) {
    const column = settings[option];
    if (column !== undefined) requireColumn([...columns], option, column);
  }
}

/** The batch that the model says it was trained on, where it is one of the tiles'. */
function provenance(
  { batchColumn }: EvaluateSettings,
  info: ModelInfo,
  tiles: readonly Labelled[],
): string | undefined {
  const name = info.provenance.where?.[batchColumn];
  return tiles.some(({ labels }) => labels[batchColumn] === name) ? name : undefined;
}

function sourceOf(settings: EvaluateSettings, trainedOn: string | undefined): string | undefined {
  const { source = trainedOn, batchColumn, labelColumn, model } = settings;
  if (source === undefined && labelColumn !== undefined) {
    throw new StainfoldError(
      'STAINFOLD_EVALUATE',
      model === undefined
        ? `Probes are trained on one '${batchColumn}' only, and no source is given`
        : `The model does not say on which '${batchColumn}' it was trained, and no source is given`,
    );
  }
  return source;
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

function countBy(tiles: readonly Labelled[], column: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { labels } of tiles) {
    const value = labels[column] as string;
    counts[value] = (counts[value] ?? 0) + 1;
  }
  return counts;
}
