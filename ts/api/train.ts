import { resolve } from 'node:path';
import type { Batch } from '../data/loader.js';
import { MetricsLog } from '../data/metrics-log.js';
import { StainfoldError } from '../errors.js';
import { lockFolder } from '../files/lock.js';
import { loadNative } from '../internal/load.js';
import type { NativeAddon, NativeStepReport, NativeTensorSpec } from '../internal/native.js';
import { trainSchema, validate } from '../internal/validate.js';
import type { ModelInfo, TrainOptions, TrainResult, UnreadableTile } from '../types.js';
import { CollapseWatch } from './collapse.js';
import { withColourStatistics } from './colour-statistics.js';
import { calibrateOutliers } from './outliers.js';
import { findCheckpoint, runFiles, sweep } from './run-folder.js';
import {
  checkContinues,
  type RunState,
  readCheckpoint,
  writeCheckpoint,
  writeModel,
} from './train-checkpoint.js';
import {
  createLoader,
  nativeTrainOptions,
  planTraining,
  recordedOptions,
  type TrainSettings,
} from './train-plan.js';
import { TrainingRun } from './train-run.js';

/**
 * Trains an encoder on one site's tiles and writes `model.safetensors`, `checkpoint.safetensors` and `metrics.jsonl` to
 * `options.out`.
 *
 * An abort finishes the steps in flight, saves a checkpoint and rejects with the signal's reason. A run that was stopped, in
 * whatever way, continues with `resume: true` and ends with the bytes it would have had.
 *
 * @example
 * const { model } = await train({ tiles: 'tiles.csv', where: { site: 'A' }, out: 'run' });
 *
 * @throws STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN; STAINFOLD_MANIFEST, STAINFOLD_TILES_EMPTY, STAINFOLD_FILE_NOT_FOUND,
 *   STAINFOLD_TILE_UNREADABLE (strict); STAINFOLD_OUTPUT_EXISTS, STAINFOLD_LOCKED, STAINFOLD_FILE_WRITE;
 *   STAINFOLD_CHECKPOINT_MISMATCH; STAINFOLD_NON_FINITE, STAINFOLD_COLLAPSE, STAINFOLD_MEMORY, STAINFOLD_DEVICE; and what loading the core throws.
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const settings = validate(trainSchema, options);
  settings.signal?.throwIfAborted();
  return trainWith(() => loadNative(settings), settings);
}

/** `load` is called once tiles and folder are known to be in order: those mistakes are the common ones. */
export async function trainWith(
  load: () => Promise<NativeAddon>,
  settings: TrainSettings,
): Promise<TrainResult> {
  const started = performance.now();
  const { profile } = settings;
  const out = resolve(settings.out);
  const files = runFiles(out);
  let plan = await planTraining(settings);
  using _lock = await lockFolder(out);
  await sweep(out);
  const saved = await findCheckpoint(settings, files, readCheckpoint);

  const native = await load();
  if (settings.threads !== undefined) native.setThreads(settings.threads);
  plan = await withColourStatistics(native, plan);
  const latent = settings.latent ?? defaultLatent(native, settings.size);
  const start: RunState = saved?.state ?? FRESH;
  const loader = createLoader(plan, start.unreadable);
  const trainer = new native.Trainer(nativeTrainOptions(plan, latent, loader.steps));
  let log: MetricsLog | undefined;
  try {
    const { device, precision } = await trainer.open();
    const { version, libtorch } = native.status();
    const specs = trainer.layout();
    const infoAt = (steps: number): ModelInfo => ({
      format: 'stainfold',
      formatVersion: 1,
      kind: 'checkpoint',
      size: settings.size,
      latent,
      tileSize: plan.tileSize,
      parameters: encoderParameters(specs),
      provenance: {
        stainfold: version,
        libtorch,
        seed: settings.seed,
        dataDigest: plan.dataDigest,
        tiles: plan.tiles.length,
        where: settings.where,
        steps,
        device,
        precision,
      },
      options: recordedOptions(plan, latent),
    });
    if (saved !== undefined) {
      checkContinues(saved.info, infoAt(0));
      await trainer.importState(saved.specs, saved.data);
    }
    log = await MetricsLog.open(files.metrics, start.last?.step ?? 0);
    const run = new TrainingRun<Batch, readonly UnreadableTile[], NativeStepReport>({
      settings,
      trainer,
      loader,
      log,
      start,
      step: async ({ pixels, count, tiles }) => {
        const pick = (values: Int32Array | null): Int32Array | null =>
          values === null ? null : tiles.map((tile) => values[tile] as number);
        const stamps = profile === undefined ? null : new Float64Array(6);
        const given = performance.now();
        const report = await trainer.step(
          pixels,
          count,
          pick(plan.realLab),
          pick(plan.group),
          pick(plan.stain),
          stamps,
        );
        if (stamps !== null) {
          profile?.add('queue', given, profile.fromStamp(stamps[0] as number));
          profile?.addStamps(['copy', 'render', 'forward', 'backward', 'update'], stamps);
        }
        return report;
      },
      watch: new CollapseWatch(),
      save: (step, data, state) => {
        const write = () => writeCheckpoint(files.checkpoint, infoAt(step), specs, data, state);
        return profile === undefined ? write() : profile.time('write', write);
      },
    });
    await run.toEnd();
    const data = await run.exportState();
    const outliers = await calibrateOutliers(native, infoAt(run.step), { specs, data }, plan.tiles, {
      device,
      precision,
    });
    await writeModel(files.model, infoAt(run.step), specs, data, outliers);
    if (run.last === null) throw new StainfoldError('STAINFOLD_INTERNAL', 'A run ended without a step');
    return {
      model: files.model,
      checkpoint: files.checkpoint,
      steps: run.step,
      tiles: plan.tiles.length,
      seconds: (performance.now() - started) / 1000,
      last: run.last,
      unreadable: [...loader.unreadable],
    };
  } finally {
    await trainer.dispose();
    await log?.close();
  }
}

const FRESH: RunState = { position: { epoch: 0, batch: 0, cursor: 0 }, unreadable: [], last: null };

export function defaultLatent(native: NativeAddon, size: string): number {
  const architecture = native.architectures().find(({ name }) => name === size);
  if (architecture === undefined) {
    throw new StainfoldError('STAINFOLD_ADDON_LOAD', `The native core has no model size '${size}'`);
  }
  return architecture.latent;
}

function encoderParameters(specs: readonly NativeTensorSpec[]): number {
  return specs
    .filter(({ name }) => name.startsWith('encoder.'))
    .reduce((sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1), 0);
}
