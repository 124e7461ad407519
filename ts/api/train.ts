import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { MetricsLog } from '../data/metrics-log.js';
import { StainfoldError } from '../errors.js';
import { lockFolder } from '../files/lock.js';
import { loadNative } from '../internal/load.js';
import type { NativeAddon, NativeTensorSpec } from '../internal/native.js';
import { trainSchema, validate } from '../internal/validate.js';
import type { ModelInfo, TrainOptions, TrainResult } from '../types.js';
import {
  type Checkpoint,
  checkContinues,
  type RunState,
  readCheckpoint,
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
  return trainWith(() => loadNative({ libtorch: settings.libtorch }), settings);
}

/** `load` is called once tiles and folder are known to be in order: those mistakes are the common ones. */
export async function trainWith(
  load: () => Promise<NativeAddon>,
  settings: TrainSettings,
): Promise<TrainResult> {
  const started = performance.now();
  const out = resolve(settings.out);
  const files = {
    model: resolve(out, 'model.safetensors'),
    checkpoint: resolve(out, 'checkpoint.safetensors'),
    metrics: resolve(out, 'metrics.jsonl'),
  };
  const plan = await planTraining(settings);
  using _lock = await lockFolder(out);
  await sweep(out);
  const saved = await findCheckpoint(settings, files);

  const native = await load();
  if (settings.threads !== undefined) native.setThreads(settings.threads);
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
    const run = new TrainingRun({
      plan,
      trainer,
      loader,
      log,
      infoAt,
      checkpointPath: files.checkpoint,
      start,
    });
    await run.toEnd();
    await writeModel(files.model, infoAt(run.step), specs, await run.exportState());
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

/** The checkpoint to continue from. A run that was stopped before its first one begins again. */
async function findCheckpoint(
  settings: TrainSettings,
  files: { model: string; checkpoint: string; metrics: string },
): Promise<Checkpoint | undefined> {
  if (settings.resume) {
    if (!existsSync(files.checkpoint) && existsSync(files.metrics)) return undefined;
    return readCheckpoint(files.checkpoint);
  }
  const existing = [files.checkpoint, files.model].find((path) => existsSync(path));
  if (existing !== undefined) {
    throw new StainfoldError(
      'STAINFOLD_OUTPUT_EXISTS',
      `There is a run in ${settings.out} already (${existing})`,
    );
  }
  return undefined;
}

/** Removes what a process that was killed in the middle of a write left behind. The folder is locked. */
async function sweep(out: string): Promise<void> {
  const names = await readdir(out);
  const left = names.filter((name) => /^(model|checkpoint)\.safetensors\..+\.tmp$/.test(name));
  await Promise.all(left.map((name) => rm(resolve(out, name), { force: true })));
}

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
