/** Training of CycleGAN and StainGAN. Internal: the benchmark's baselines, not part of the public surface. */
import { resolve } from 'node:path';
import { MetricsLog } from '../data/metrics-log.js';
import {
  PAIRED_BEGINNING,
  type PairedBatch,
  PairedLoader,
  type PairedPosition,
  type PairedUnreadable,
} from '../data/paired-loader.js';
import { digestTiles, type Tile } from '../data/tile-set.js';
import { StainfoldError } from '../errors.js';
import { lockFolder } from '../files/lock.js';
import { loadNative } from '../internal/load.js';
import type { NativeAddon, NativeTensorSpec } from '../internal/native.js';
import type { NativeTranslatorConfig, NativeTranslatorReport } from '../internal/native-translator.js';
import { validate } from '../internal/validate.js';
import { trainTranslatorSchema } from '../internal/validate-translator.js';
import type { TranslatorOptions, TranslatorProgress, TranslatorResult } from '../types/translator.js';
import { findCheckpoint, runFiles, sweep } from './run-folder.js';
import { checkContinues, parseRun, type RunState } from './train-checkpoint.js';
import { TrainingRun } from './train-run.js';
import {
  readTranslatorCheckpoint,
  type TranslatorInfo,
  writeTranslator,
  writeTranslatorCheckpoint,
} from './translator-file.js';

/** Which tiles: those of the site whose appearance is wanted, and those of the sites that are to get it. */
export interface SitePair {
  source: readonly Tile[];
  target: readonly Tile[];
}

type Settings = ReturnType<typeof validate<typeof trainTranslatorSchema>>;
type PairedState = RunState<PairedPosition, PairedUnreadable, Omit<TranslatorProgress, 'tilesPerSecond'>>;

const FRESH: PairedState = { position: PAIRED_BEGINNING, unreadable: { source: [], target: [] }, last: null };
/** Painted tiles that each judge remembers (Zhu et al. 2017). */
const POOL = 50;

/**
 * Trains a translator between the appearance of `source` and that of `target`, and writes `model.safetensors` (both
 * generators), `checkpoint.safetensors` and `metrics.jsonl` to `options.out`. It sees images of the target sites.
 *
 * An abort finishes the steps in flight, saves a checkpoint and rejects with the signal's reason; `resume: true` continues and
 * ends with the bytes that an uninterrupted run would have had.
 *
 * @throws STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN; STAINFOLD_TILES_EMPTY, STAINFOLD_TILE_UNREADABLE (strict);
 *   STAINFOLD_OUTPUT_EXISTS, STAINFOLD_LOCKED, STAINFOLD_FILE_WRITE; STAINFOLD_CHECKPOINT_MISMATCH; STAINFOLD_NON_FINITE,
 *   STAINFOLD_MEMORY, STAINFOLD_DEVICE; and what loading the core throws.
 */
export async function trainTranslator(options: TranslatorOptions & SitePair): Promise<TranslatorResult> {
  const { source, target, ...rest } = options;
  const settings = validate(trainTranslatorSchema, rest);
  settings.signal?.throwIfAborted();
  return trainTranslatorWith(() => loadNative(settings), { source, target }, settings);
}

export async function trainTranslatorWith(
  load: () => Promise<NativeAddon>,
  given: SitePair,
  settings: Settings,
): Promise<TranslatorResult> {
  const started = performance.now();
  const out = resolve(settings.out);
  const files = runFiles(out);
  const tiles = { source: sorted(given.source, 'source'), target: sorted(given.target, 'target') };
  using _lock = await lockFolder(out);
  await sweep(out);
  const saved = await findCheckpoint(settings, files, readTranslatorCheckpoint);

  const native = await load();
  if (settings.threads !== undefined) native.setThreads(settings.threads);
  const start = saved === undefined ? FRESH : parseRun<PairedState>(files.checkpoint, saved.run, 2);
  const { tileSize, batchSize, epochs, seed, cacheBytes, strict } = settings;
  const loader = new PairedLoader(
    tiles,
    { tileSize, batchSize, epochs, seed, cacheBytes, strict },
    start.unreadable,
  );
  const { model, ...determined } = recorded(settings);
  const trainer = new native.TranslatorTrainer({
    model,
    cycle: determined.cycle,
    identity: determined.identity,
    geometry: determined.geometry,
    learningRate: determined.learningRate,
    seed,
    pool: POOL,
    totalSteps: loader.steps,
    constantSteps: Math.round(settings.constant * loader.steps),
    device: settings.device,
    precision: settings.precision,
  });
  let log: MetricsLog | undefined;
  try {
    const { device, precision } = await trainer.open();
    const { version, libtorch } = native.status();
    const specs = trainer.layout();
    const dataDigest = `${digestTiles(tiles.source, [])}+${digestTiles(tiles.target, [])}`;
    const count = tiles.source.length + tiles.target.length;
    const infoAt = (steps: number): TranslatorInfo => ({
      format: 'stainfold',
      formatVersion: 1,
      kind: 'translator-checkpoint',
      model,
      parameters: generatorParameters(specs),
      provenance: { stainfold: version, libtorch, seed, dataDigest, tiles: count, steps, device, precision },
      options: determined,
    });
    if (saved !== undefined) {
      checkContinues(
        { ...saved.info, options: { ...saved.info.options, ...saved.info.model } },
        { ...infoAt(0), options: { ...determined, ...model } },
      );
      await trainer.importState(saved.specs, saved.data);
    }
    log = await MetricsLog.open(files.metrics, start.last?.step ?? 0);
    const run = new TrainingRun<PairedBatch, PairedUnreadable, NativeTranslatorReport>({
      settings,
      trainer,
      loader,
      log,
      start,
      step: ({ source, target }) => trainer.step(source.pixels, source.count, target.pixels, target.count),
      save: (step, data, state) =>
        writeTranslatorCheckpoint(files.checkpoint, infoAt(step), specs, data, state),
    });
    await run.toEnd();
    await writeTranslator(files.model, infoAt(run.step), specs, await run.exportState());
    if (run.last === null) throw new StainfoldError('STAINFOLD_INTERNAL', 'A run ended without a step');
    return {
      model: files.model,
      checkpoint: files.checkpoint,
      steps: run.step,
      seconds: (performance.now() - started) / 1000,
      last: run.last,
    };
  } finally {
    await trainer.dispose();
    await log?.close();
  }
}

/** By name: a run does not depend on the order it is given. */
function sorted(tiles: readonly Tile[], site: string): Tile[] {
  if (tiles.length < 2) {
    throw new StainfoldError(
      'STAINFOLD_TILES_EMPTY',
      `There are ${tiles.length} ${site} tiles, a translator needs 2 at least`,
    );
  }
  return [...tiles].sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
}

/** The options that the result depends on, without paths. */
function recorded(settings: Settings) {
  const { variant, tileSize, width, judgeLayers } = settings;
  const model: NativeTranslatorConfig = {
    tileSize,
    width,
    // The paper's sizes: 6 blocks, and 9 from 256 px on.
    blocks: settings.blocks ?? (tileSize < 256 ? 6 : 9),
    judgeWidth: settings.judgeWidth ?? width,
    judgeLayers,
  };
  const { epochs, batchSize, learningRate, constant, cycle, geometry, seed } = settings;
  const identity = settings.identity ?? (variant === 'cyclegan' ? 0.5 : 0);
  return { model, variant, epochs, batchSize, learningRate, constant, cycle, identity, geometry, seed };
}

function generatorParameters(specs: readonly NativeTensorSpec[]): number {
  return specs
    .filter(({ name }) => name.startsWith('to_source.'))
    .reduce((sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1), 0);
}
