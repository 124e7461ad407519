/** Who was busy when: intervals by stage, what they add up to, and a trace for Perfetto. */
import { writeFileAtomic } from '../files/atomic.js';
import type { ProfileReport, Profiler, Stage, StageReport } from '../types/profile.js';

const STAGES: readonly Stage[] = [
  'read',
  'decode',
  'queue',
  'copy',
  'render',
  'forward',
  'backward',
  'update',
  'write',
];
/** They run one after another, on the encoder's or trainer's own thread. */
const ENGINE: readonly Stage[] = ['copy', 'render', 'forward', 'backward', 'update'];
/** Intervals that are kept: memory stays below 20 MB. What comes later counts in the sums, not in shares and trace. */
const MOST = 500_000;
/** Of the wall time, from which on a stage is what the others wait for. */
const SATURATED = 0.75;

export class StageProfiler implements Profiler {
  /** Of the first interval. */
  #begun = Number.POSITIVE_INFINITY;
  /** Milliseconds to take from process.hrtime() for performance.now(). */
  readonly #offset = Number(process.hrtime.bigint()) / 1e6 - performance.now();
  readonly #intervals: number[] = []; // stage, from, to
  readonly #counts = new Map<Stage, { count: number; ms: number }>();
  workers = 1;

  add(stage: Stage, from: number, to: number): void {
    this.#begun = Math.min(this.#begun, from);
    const sums = this.#counts.get(stage) ?? { count: 0, ms: 0 };
    sums.count++;
    sums.ms += to - from;
    this.#counts.set(stage, sums);
    if (this.#intervals.length < 3 * MOST) this.#intervals.push(STAGES.indexOf(stage), from, to);
  }

  addStamps(stages: readonly Stage[], stamps: Float64Array): void {
    for (const [i, stage] of stages.entries()) {
      this.add(stage, this.fromStamp(stamps[i] as number), this.fromStamp(stamps[i + 1] as number));
    }
  }

  fromStamp(stamp: number): number {
    return stamp - this.#offset;
  }

  async time<Result>(stage: Stage, work: () => Promise<Result>): Promise<Result> {
    const from = performance.now();
    try {
      return await work();
    } finally {
      this.add(stage, from, performance.now());
    }
  }

  report(): ProfileReport {
    const wall = Math.max(1e-3, performance.now() - this.#begun);
    const busy = this.#busy();
    const stages = STAGES.filter((stage) => this.#counts.has(stage)).map((stage): StageReport => {
      const { count, ms } = this.#counts.get(stage) as { count: number; ms: number };
      return { stage, count, seconds: ms / 1000, share: Math.min(1, (busy.get(stage) ?? 0) / wall) };
    });
    return { wallSeconds: wall / 1000, stages, ...conclude(stages, wall / 1000, this.workers) };
  }

  async save(path: string): Promise<void> {
    await writeFileAtomic(path, this.#trace());
  }

  /** Milliseconds in which at least one of a stage was under way. */
  #busy(): Map<Stage, number> {
    const busy = new Map<Stage, number>();
    for (const [stage, intervals] of this.#byStage()) {
      let sum = 0;
      let end = Number.NEGATIVE_INFINITY;
      for (const [from, to] of intervals) {
        sum += Math.max(0, to - Math.max(from, end));
        end = Math.max(end, to);
      }
      busy.set(stage, sum);
    }
    return busy;
  }

  /** [from, to] of each stage, by their beginning. */
  #byStage(): Map<Stage, [number, number][]> {
    const all = new Map<Stage, [number, number][]>();
    for (let i = 0; i < this.#intervals.length; i += 3) {
      const [which, from, to] = this.#intervals.slice(i, i + 3) as [number, number, number];
      const stage = STAGES[which] as Stage;
      const list = all.get(stage) ?? [];
      list.push([from, to]);
      all.set(stage, list);
    }
    for (const list of all.values()) list.sort((a, b) => a[0] - b[0]);
    return all;
  }

  /** One track for each interval of a stage that may run beside another: on one track they would have to nest. */
  *#trace(): Generator<Uint8Array> {
    const text = new TextEncoder();
    let first = true;
    const line = (event: object): Uint8Array => {
      const start = first ? '{"displayTimeUnit":"ms","traceEvents":[\n' : ',\n';
      first = false;
      return text.encode(start + JSON.stringify(event));
    };
    for (const [stage, intervals] of this.#byStage()) {
      const tracks: number[] = [];
      for (const [from, to] of intervals) {
        let track = tracks.findIndex((end) => end <= from);
        if (track < 0) {
          track = tracks.length;
          const tid = trackId(stage, track);
          yield line({ name: 'thread_name', ph: 'M', pid: 1, tid, args: { name: `${stage} ${track + 1}` } });
          yield line({ name: 'thread_sort_index', ph: 'M', pid: 1, tid, args: { sort_index: tid } });
        }
        tracks[track] = to;
        const [ts, dur] = [from - this.#begun, to - from].map((ms) => Math.round(1000 * ms));
        yield line({ name: stage, ph: 'X', pid: 1, tid: trackId(stage, track), ts, dur });
      }
    }
    yield line({ name: 'process_name', ph: 'M', pid: 1, tid: 0, args: { name: 'stainfold' } });
    yield text.encode('\n]}\n');
  }
}

const trackId = (stage: Stage, track: number): number => 1000 * (STAGES.indexOf(stage) + 1) + track;

function conclude(
  stages: readonly StageReport[],
  wallSeconds: number,
  workers: number,
): Pick<ProfileReport, 'bottleneck' | 'summary'> {
  const of = (names: readonly Stage[]): StageReport[] => stages.filter(({ stage }) => names.includes(stage));
  const most = (list: readonly StageReport[]): StageReport | undefined =>
    list.toSorted((a, b) => b.seconds - a.seconds)[0];
  const sum = (list: readonly StageReport[]): number =>
    list.reduce((total, { seconds }) => total + seconds, 0);
  const percent = (share: number): string => `${Math.round(100 * Math.min(1, share))} %`;
  const engine = of(ENGINE);
  const decoding = of(['read', 'decode']);
  const writing = of(['write']);
  const engineLoad = sum(engine) / wallSeconds;
  const decodeLoad = sum(decoding) / wallSeconds / workers;
  const writeLoad = sum(writing) / wallSeconds;
  const load = Math.max(engineLoad, decodeLoad, writeLoad);
  if (load < SATURATED) {
    const where = engineLoad >= decodeLoad ? most(engine) : most(decoding);
    const busiest = where === undefined ? '' : `, ${where.stage} most of all`;
    return {
      bottleneck: null,
      summary: `No stage is saturated (${percent(load)} of the time at most${busiest}): the source of the tiles, or starting up, sets the pace.`,
    };
  }
  if (load === engineLoad) {
    const { stage, seconds } = most(engine) as StageReport;
    const helps =
      stage === 'copy' ? 'larger batches help' : 'a faster device, lower precision or a smaller model helps';
    return {
      bottleneck: stage,
      summary: `${stage} is the bottleneck: ${percent(seconds / wallSeconds)} of the wall time, while decoding uses ${percent(decodeLoad)} of its workers; ${helps}.`,
    };
  }
  if (load === writeLoad) {
    return {
      bottleneck: 'write',
      summary: `write is the bottleneck: ${percent(writeLoad)} of the wall time; a faster disk helps.`,
    };
  }
  const { stage } = most(decoding) as StageReport;
  const helps =
    stage === 'decode'
      ? "more cores help, or decoding once and for all: 'stainfold pack'"
      : 'a faster disk helps';
  return {
    bottleneck: stage,
    summary: `${stage} is the bottleneck: its ${workers} workers are busy ${percent(decodeLoad)} of the time, the encoder or trainer ${percent(engineLoad)}; ${helps}.`,
  };
}
