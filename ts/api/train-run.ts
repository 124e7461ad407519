/**
 * One run of the trainer: batches in, reports and checkpoints out. Two steps are in flight, so that the device never waits
 * for JavaScript; everything that is written down is written between steps, in order.
 */
import type { MetricsLog } from '../data/metrics-log.js';
import { tensorBytes } from '../data/safetensors.js';
import type { NativeTensorSpec, NativeTrainer } from '../internal/native.js';
import type { RunState } from './train-checkpoint.js';

/** Steps handed to the trainer and not yet reported: one that runs and one that is ready. */
const IN_FLIGHT = 2;

export interface RunReport {
  /** Steps done, this one included. */
  step: number;
  tiles: number;
}
/** What is logged and shown of a step. */
export type Progress<Report extends RunReport> = Omit<Report, 'tiles'> & {
  steps: number;
  epoch: number;
  epochs: number;
  tilesPerSecond: number;
};

/** Whatever a step takes, and where the next of it begins. */
interface RunBatch {
  epoch: number;
  next: { epoch: number; batch: number };
  release(): void;
}
interface RunLoader<Batch extends RunBatch, Unreadable> {
  batchesPerEpoch: number;
  steps: number;
  unreadable: Unreadable;
  batches(from: Batch['next']): AsyncIterable<Batch>;
}
type Untimed<Report extends RunReport> = Omit<Progress<Report>, 'tilesPerSecond'>;
type StateOf<Batch extends RunBatch, Unreadable, Report extends RunReport> = RunState<
  Batch['next'],
  Unreadable,
  Untimed<Report>
>;

export interface RunParts<Batch extends RunBatch, Unreadable, Report extends RunReport> {
  settings: {
    epochs: number;
    checkpointEvery?: number | undefined;
    signal?: AbortSignal | undefined;
    onProgress?: ((progress: Progress<Report>) => void) | undefined;
  };
  trainer: Pick<NativeTrainer, 'layout' | 'exportState'>;
  loader: RunLoader<Batch, Unreadable>;
  log: MetricsLog;
  start: StateOf<Batch, Unreadable, Report>;
  step: (batch: Batch) => Promise<Report>;
  /** Sees every report, and may throw. While it suspects the run, no checkpoint is written. */
  watch?: { suspects: boolean; see: (report: Report) => void };
  /** Writes the checkpoint of a step; `data` is the trainer's state, in layout order. */
  save: (step: number, data: Uint8Array, state: StateOf<Batch, Unreadable, Report>) => Promise<void>;
}

export class TrainingRun<Batch extends RunBatch, Unreadable, Report extends RunReport> {
  readonly #parts: RunParts<Batch, Unreadable, Report>;
  readonly #state: Uint8Array;
  readonly #inFlight: Promise<void>[] = [];
  readonly #checkpointEvery: number;
  readonly #speed = new Speed();
  #position: Batch['next'];
  #last: Untimed<Report> | null;
  #savedAt: number;
  #writing: Promise<void> = Promise.resolve();
  #writeFailure: { error: unknown } | undefined;

  constructor(parts: RunParts<Batch, Unreadable, Report>) {
    this.#parts = parts;
    this.#state = new Uint8Array(stateBytes(parts.trainer.layout()));
    this.#position = parts.start.position;
    this.#last = parts.start.last;
    this.#savedAt = parts.start.last === null ? -1 : this.step;
    this.#checkpointEvery = parts.settings.checkpointEvery ?? parts.loader.batchesPerEpoch;
  }

  /** Steps handed to the trainer, over the whole run. */
  get step(): number {
    return this.#position.epoch * this.#parts.loader.batchesPerEpoch + this.#position.batch;
  }

  get last(): Progress<Report> | null {
    return this.#last === null ? null : this.#timed(this.#last);
  }

  /** Trains to the end. At an abort it finishes the steps in flight, saves, and throws the signal's reason. */
  async toEnd(): Promise<void> {
    const { loader } = this.#parts;
    const { signal } = this.#parts.settings;
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
    this.#speed.start();
    this.#position = batch.next;
    const step = this.#parts.step(batch).then((report) => {
      batch.release();
      this.#report(report, batch.epoch);
    });
    step.catch(() => undefined);
    this.#inFlight.push(step);
  }

  #report(report: Report, epoch: number): void {
    const { settings, loader, log, watch } = this.#parts;
    const { tiles, step, ...terms } = report;
    this.#speed.add(tiles);
    const place = { step, steps: loader.steps, epoch: epoch + 1, epochs: settings.epochs };
    this.#last = { ...place, ...terms } as unknown as Untimed<Report>;
    const progress = this.#timed(this.#last);
    log.add(progress);
    settings.onProgress?.(progress);
    watch?.see(report);
  }

  #timed(last: Untimed<Report>): Progress<Report> {
    return { ...last, tilesPerSecond: this.#speed.tilesPerSecond } as Progress<Report>;
  }

  /** Copies the state after the steps so far, and writes it while training goes on. What is suspected is not kept. */
  async #save(): Promise<void> {
    for (let step = this.#inFlight.shift(); step !== undefined; step = this.#inFlight.shift()) await step;
    const { log, loader, save, watch } = this.#parts;
    if (watch?.suspects === true) return;
    const data = await this.exportState();
    const step = this.step;
    const state = { position: this.#position, unreadable: loader.unreadable, last: this.#last };
    const write = async (): Promise<void> => {
      await log.flush();
      await save(step, data, state);
    };
    this.#savedAt = step;
    this.#writing = write();
    this.#writing.catch((error: unknown) => {
      this.#writeFailure = { error };
    });
  }
}

function stateBytes(specs: readonly NativeTensorSpec[]): number {
  return specs.reduce((sum, spec) => sum + tensorBytes(spec), 0);
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
