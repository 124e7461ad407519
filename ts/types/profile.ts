/** What a profile tells. */

/** Of the way from a file to an embedding, or to a training step. `queue`: decoded tiles wait for the encoder or trainer. */
export type Stage =
  | 'read'
  | 'decode'
  | 'queue'
  | 'copy'
  | 'render'
  | 'forward'
  | 'backward'
  | 'update'
  | 'write';

export interface StageReport {
  stage: Stage;
  /** Times it was begun: per tile for reading and decoding, per batch after that. */
  count: number;
  /** Added up over all that ran side by side. */
  seconds: number;
  /** Share of the wall time in which at least one was under way, 0 to 1. */
  share: number;
}

export interface ProfileReport {
  /** From the beginning of the first stage met to the report. */
  wallSeconds: number;
  /** In the order of the way; those that were met. */
  stages: StageReport[];
  /** The stage that the others wait for; null where none is busy enough to say. */
  bottleneck: Stage | null;
  /** One sentence: what limits, by how much, and what helps. */
  summary: string;
}

/** Measures where time goes; made by `createProfiler()`, given as `profile`, read when the call is done. */
export interface Profiler {
  report(): ProfileReport;
  /** Writes a Chrome trace (ui.perfetto.dev opens it), atomically. */
  save(path: string): Promise<void>;
  /** Runs `work` and counts it as a stage: what you do with the results, for example. */
  time<Result>(stage: Stage, work: () => Promise<Result>): Promise<Result>;
  /** An interval, in milliseconds of performance.now(). */
  add(stage: Stage, from: number, to: number): void;
  /** Neighbouring intervals by the stamps between them, in milliseconds of process.hrtime(). */
  addStamps(stages: readonly Stage[], stamps: Float64Array): void;
  /** A stamp in milliseconds of performance.now(). */
  fromStamp(stamp: number): number;
  /** Decoders that may run side by side: what "busy" is measured against. */
  workers: number;
}
