/**
 * One encoder, many callers: decoded tiles wait here and go to the native core in batches, whoever they are from. What waits is
 * batched; nothing is held back for what may come, unless `maxWaitMs` says so. A full batch is handed over while another runs,
 * so that the core never waits; one that is not full goes when the core is idle, so that it fills while it waits.
 */
import { StainfoldError } from '../errors.js';
import type { Profiler } from '../types.js';

interface QueueOptions {
  /** Tiles a batch at most. */
  maxBatch: number;
  /** How long tiles may wait for a batch to fill while the core is idle. */
  maxWaitMs: number;
  /** Values of an embedding. */
  latent: number;
}

type Take = (rows: Float32Array, first: number) => void;

/** [count] tiles -> [count,latent]. `stamps` as NativeEmbedder.embed takes them. */
type EmbedBatch = (
  tiles: readonly Uint8Array[],
  count: number,
  stamps: Float64Array | null,
) => Promise<Float32Array>;

/** Batches that the core has at a time: one that runs, one that is ready. */
const IN_FLIGHT = 2;
/** Tiles that all callers may have here, in batches: beyond it each is held to its share, one tile at least. */
const CAPACITY = 4;
/** Tiles that one caller may have here, in batches: one that runs, one that fills. */
const CAPACITY_OF_ONE = 2;

export class EmbedQueue {
  readonly #embed: EmbedBatch;
  readonly #options: QueueOptions;
  /** Who is served next comes first. */
  readonly #callers = new Set<Caller>();
  #inFlight = 0;
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(embed: EmbedBatch, options: QueueOptions) {
    this.#embed = embed;
    this.#options = options;
  }

  /** `take` sees a caller's embeddings as they come: [n,latent], of its tiles from `first` on, to be copied out at once. */
  join(take: Take, profile: Profiler | undefined): Caller {
    const leave = (): void => {
      this.#callers.delete(caller);
      for (const other of this.#callers) other.look();
      // A timer for tiles that are gone would keep the process alive.
      if (![...this.#callers].some(({ waiting }) => waiting > 0)) clearTimeout(this.#timer);
    };
    const caller = new Caller(take, profile, {
      wake: () => this.#schedule(),
      share: () => this.#share(),
      leave,
    });
    this.#callers.add(caller);
    return caller;
  }

  /** Every call that waits rejects with this. */
  close(error: unknown): void {
    for (const caller of this.#callers) caller.fail(error);
  }

  #share(): number {
    const { maxBatch } = this.#options;
    const fair = Math.floor((CAPACITY * maxBatch) / Math.max(1, this.#callers.size));
    return Math.max(1, Math.min(CAPACITY_OF_ONE * maxBatch, fair));
  }

  /** At the end of this turn of the event loop, when calls made together have all brought their tiles. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    const { maxBatch, maxWaitMs } = this.#options;
    while (this.#inFlight < IN_FLIGHT) {
      const waiting = [...this.#callers].filter((caller) => caller.waiting > 0);
      const tiles = waiting.reduce((sum, caller) => sum + caller.waiting, 0);
      if (tiles < maxBatch) {
        // Tiles of a caller that has more to bring wait for them, unless the queue itself keeps it from bringing them.
        if (this.#inFlight > 0 || !waiting.some((caller) => caller.ended || caller.held)) return;
        const left = maxWaitMs - (performance.now() - Math.min(...waiting.map((caller) => caller.since)));
        if (left > 0) {
          clearTimeout(this.#timer);
          this.#timer = setTimeout(() => this.#dispatch(), left);
          return;
        }
      }
      this.#run(this.#pick(waiting, Math.min(maxBatch, tiles)));
    }
  }

  /** `count` tiles in equal parts from those who wait, what one has not from the others; then it is the turn of the rest. */
  #pick(waiting: readonly Caller[], count: number): Share[] {
    const parts = waiting.map(() => 0);
    let left = count;
    while (left > 0) {
      const open = waiting.filter((caller, i) => caller.waiting > (parts[i] as number)).length;
      const each = Math.max(1, Math.floor(left / open));
      for (const [i, caller] of waiting.entries()) {
        const more = Math.min(each, left, caller.waiting - (parts[i] as number));
        parts[i] = (parts[i] as number) + more;
        left -= more;
      }
    }
    const shares: Share[] = [];
    for (const [i, caller] of waiting.entries()) {
      const part = parts[i] as number;
      if (part === 0) continue;
      shares.push({ caller, ...caller.give(part) });
      this.#callers.delete(caller);
      this.#callers.add(caller);
    }
    return shares;
  }

  async #run(shares: readonly Share[]): Promise<void> {
    this.#inFlight++;
    try {
      await this.#attempt(shares);
    } finally {
      this.#inFlight--;
      this.#dispatch();
    }
  }

  async #attempt(shares: readonly Share[]): Promise<void> {
    const { latent } = this.#options;
    const tiles = shares.flatMap((share) => share.tiles);
    const profiles = new Set(shares.map(({ caller }) => caller.profile).filter((it) => it !== undefined));
    const stamps = profiles.size === 0 ? null : new Float64Array(3);
    let z: Float32Array;
    try {
      z = await this.#embed(tiles, tiles.length, stamps);
    } catch (error) {
      const gone = error instanceof StainfoldError && error.code === 'STAINFOLD_DISPOSED';
      if (shares.length > 1 && !gone) {
        // Whose tile it was nobody knows: each caller's own now stand for themselves.
        for (const share of shares) await this.#attempt([share]);
        return;
      }
      for (const { caller, tiles: failed } of shares) caller.failed(failed.length, error);
      return;
    }
    for (const profile of profiles) {
      const since = Math.min(
        ...shares.filter(({ caller }) => caller.profile === profile).map((s) => s.since),
      );
      if (stamps === null) break;
      profile.add('queue', since, Math.max(since, profile.fromStamp(stamps[0] as number)));
      profile.addStamps(['copy', 'forward'], stamps);
    }
    let row = 0;
    for (const { caller, tiles: embedded, first } of shares) {
      const count = embedded.length;
      caller.receive(z.subarray(row * latent, (row + count) * latent), first, count);
      row += count;
    }
  }
}

interface Share {
  caller: Caller;
  tiles: Uint8Array[];
  /** Place of the first among its caller's tiles, and when it came. */
  first: number;
  since: number;
}

interface Ties {
  wake: () => void;
  share: () => number;
  leave: () => void;
}

/** One call's place in the queue: it adds tiles, and waits while it has more here than its share. */
class Caller {
  readonly profile: Profiler | undefined;
  readonly #take: Take;
  readonly #ties: Ties;
  #tiles: Uint8Array[] = [];
  #arrivals: number[] = [];
  #underWay = 0;
  #given = 0;
  #ended = false;
  #failure: { error: unknown } | undefined;
  /** To be called when something came back, or nothing more will. One call waits for one thing at a time. */
  #news: (() => void) | undefined;

  constructor(take: Take, profile: Profiler | undefined, ties: Ties) {
    this.#take = take;
    this.profile = profile;
    this.#ties = ties;
  }

  /** Tiles that no batch has yet. */
  get waiting(): number {
    return this.#tiles.length;
  }

  get since(): number {
    return this.#arrivals[0] ?? Number.POSITIVE_INFINITY;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** It waits for room. */
  get held(): boolean {
    return this.#news !== undefined;
  }

  /** Nothing where there is room for another; else resolves when there is. Throws or rejects with what befell an earlier one. */
  add(pixels: Uint8Array): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#tiles.push(pixels);
    this.#arrivals.push(performance.now());
    this.#ties.wake();
    return this.#tiles.length + this.#underWay < this.#ties.share() ? undefined : this.#room();
  }

  async #room(): Promise<void> {
    while (this.#tiles.length + this.#underWay >= this.#ties.share()) await this.#progress();
  }

  /** No more tiles; resolves when the last embedding has come. */
  async end(): Promise<void> {
    this.#ended = true;
    if (this.waiting > 0) this.#ties.wake();
    while (this.#tiles.length + this.#underWay > 0) await this.#progress();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Takes back what no batch has, and waits for what one has: its memory is being read. */
  async leave(): Promise<void> {
    this.#tiles = [];
    this.#arrivals = [];
    while (this.#underWay > 0) await this.#next();
    this.#ties.leave();
  }

  give(count: number): Omit<Share, 'caller'> {
    const { since } = this;
    const first = this.#given;
    const tiles = this.#tiles.splice(0, count);
    this.#arrivals.splice(0, count);
    this.#underWay += tiles.length;
    this.#given += tiles.length;
    return { tiles, first, since };
  }

  receive(rows: Float32Array, first: number, count: number): void {
    this.#underWay -= count;
    try {
      if (this.#failure === undefined) this.#take(rows, first);
    } catch (error) {
      this.fail(error); // what a caller's own onProgress throws is its own
    }
    this.look();
  }

  failed(count: number, error: unknown): void {
    this.#underWay -= count;
    this.fail(error);
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#tiles = [];
    this.#arrivals = [];
    this.look();
  }

  /** There is news: look again whether there is room. */
  look(): void {
    const news = this.#news;
    this.#news = undefined;
    news?.();
  }

  async #progress(): Promise<void> {
    if (this.#failure === undefined) await this.#next();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#news = resolve;
      this.#ties.wake();
    });
  }
}
