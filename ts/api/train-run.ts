/**
 * One run of the trainer: batches in, reports and checkpoints out. Two steps are in flight, so that the device never waits
 * for JavaScript; everything that is written down is written between steps, in order.
 */
import type { Batch, Loader, Position } from '../data/loader.js';
import type { MetricsLog } from '../data/metrics-log.js';
import { tensorBytes } from '../data/safetensors.js';
import { StainfoldError } from '../errors.js';
import type { NativeStepReport, NativeTensorSpec, NativeTrainer } from '../internal/native.js';
import type { ModelInfo, TrainProgress } from '../types.js';
import { type RunState, writeCheckpoint } from './train-checkpoint.js';
import type { TrainPlan } from './train-plan.js';

/** Steps handed to the trainer and not yet reported: one that runs and one that is ready. */
const IN_FLIGHT = 2;

/** Below this effective rank all rows of z point one way; a single step may, a run that stays there has collapsed. */
const COLLAPSED_RANK = 1.1;
const COLLAPSED_STEPS = 20;

export interface RunParts {
  plan: TrainPlan;
  trainer: NativeTrainer;
  loader: Loader;
  log: MetricsLog;
  /** Description to save, at any step. */
  infoAt: (step: number) => ModelInfo;
  checkpointPath: string;
  start: RunState;
}

export class TrainingRun {
  readonly #parts: RunParts;
  readonly #specs: NativeTensorSpec[];
  readonly #state: Uint8Array;
  readonly #inFlight: Promise<void>[] = [];
  readonly #checkpointEvery: number;
  readonly #speed = new Speed();
  #position: Position;
  #last: RunState['last'];
  #savedAt: number;
  #collapsedSteps = 0;
  #writing: Promise<void> = Promise.resolve();
  #writeFailure: { error: unknown } | undefined;

  constructor(parts: RunParts) {
    this.#parts = parts;
    this.#specs = parts.trainer.layout();
    this.#state = new Uint8Array(this.#specs.reduce((sum, spec) => sum + tensorBytes(spec), 0));
    this.#position = parts.start.position;
    this.#last = parts.start.last;
    this.#savedAt = parts.start.last === null ? -1 : this.step;
    this.#checkpointEvery = parts.plan.settings.checkpointEvery ?? parts.loader.batchesPerEpoch;
  }

  /** Steps handed to the trainer, over the whole run. */
  get step(): number {
    return this.#position.epoch * this.#parts.loader.batchesPerEpoch + this.#position.batch;
  }

  get last(): TrainProgress | null {
    return this.#last === null ? null : { ...this.#last, tilesPerSecond: this.#speed.tilesPerSecond };
  }

  get specs(): readonly NativeTensorSpec[] {
    return this.#specs;
  }

  /** Trains to the end. At an abort it finishes the steps in flight, saves, and throws the signal's reason. */
  async toEnd(): Promise<void> {
    const { loader, plan } = this.#parts;
    const { signal } = plan.settings;
    try {
      for await (const batch of loader.batches(this.#position)) {
        while (this.#inFlight.length >= IN_FLIGHT) await this.#inFlight.shift();
        if (this.#writeFailure !== undefined) throw this.#writeFailure.error;
        if (signal?.aborted === true) break;
        this.#submit(batch);
        if (this.step % this.#checkpointEvery === 0) await this.#save();
      }
      if (this.step !== this.#savedAt) await this.#save();
      await this.#writing;
      if (this.step < loader.steps) signal?.throwIfAborted();
    } finally {
      // After a failure the steps behind it are of no interest, but they must not outlive the call.
      await Promise.allSettled([...this.#inFlight, this.#writing]);
    }
  }

  /** The trainer's state, in layout order. Valid until the next step. */
  async exportState(): Promise<Uint8Array> {
    await this.#writing;
    await this.#parts.trainer.exportState(this.#state);
    return this.#state;
  }

  #submit(batch: Batch): void {
    const { trainer, plan } = this.#parts;
    const pick = (values: Int32Array | null): Int32Array | null =>
      values === null ? null : batch.tiles.map((tile) => values[tile] as number);
    this.#speed.start();
    this.#position = batch.next;
    const step = trainer
      .step(batch.pixels, batch.count, pick(plan.realLab), pick(plan.group))
      .then((report) => {
        batch.release();
        this.#report(report, batch.epoch);
      });
    step.catch(() => undefined);
    this.#inFlight.push(step);
  }

  #report(report: NativeStepReport, epoch: number): void {
    const { plan, loader, log } = this.#parts;
    const { tiles, step, ...terms } = report;
    this.#speed.add(tiles);
    this.#last = { step, steps: loader.steps, epoch: epoch + 1, epochs: plan.settings.epochs, ...terms };
    const progress = { ...this.#last, tilesPerSecond: this.#speed.tilesPerSecond };
    log.add(progress);
    plan.settings.onProgress?.(progress);
    this.#watchForCollapse(report);
  }

  #watchForCollapse({ rank, step }: NativeStepReport): void {
    this.#collapsedSteps = rank < COLLAPSED_RANK ? this.#collapsedSteps + 1 : 0;
    if (this.#collapsedSteps < COLLAPSED_STEPS) return;
    throw new StainfoldError(
      'STAINFOLD_COLLAPSE',
      `All tiles have had the same embedding for ${COLLAPSED_STEPS} steps, up to step ${step} (effective rank ${rank.toFixed(2)})`,
    );
  }

  /** Copies the state after the steps so far, and writes it while training goes on. What may be a collapse is not kept. */
  async #save(): Promise<void> {
    for (let step = this.#inFlight.shift(); step !== undefined; step = this.#inFlight.shift()) await step;
    if (this.#collapsedSteps > 0) return;
    const { log, infoAt, checkpointPath, loader } = this.#parts;
    const data = await this.exportState();
    const step = this.step;
    const state = { position: this.#position, unreadable: loader.unreadable, last: this.#last };
    const write = async (): Promise<void> => {
      await log.flush();
      await writeCheckpoint(checkpointPath, infoAt(step), this.#specs, data, state);
    };
    this.#savedAt = step;
    this.#writing = write();
    this.#writing.catch((error: unknown) => {
      this.#writeFailure = { error };
    });
  }
}

/** Tiles a second over the last few reports. */
class Speed {
  readonly #reports: { time: number; tiles: number }[] = [];

  start(): void {
    if (this.#reports.length === 0) this.#reports.push({ time: performance.now(), tiles: 0 });
  }

  add(tiles: number): void {
    this.#reports.push({ time: performance.now(), tiles });
    if (this.#reports.length > 21) this.#reports.shift();
  }

  get tilesPerSecond(): number {
    const [first, ...rest] = this.#reports;
    const last = rest.at(-1);
    if (first === undefined || last === undefined) return 0;
    const seconds = Math.max(1e-6, (last.time - first.time) / 1000);
    return rest.reduce((sum, { tiles }) => sum + tiles, 0) / seconds;
  }
}
