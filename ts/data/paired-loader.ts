/**
 * Unpaired batches of two sites, side by side. An epoch is one pass over the larger site; the smaller one goes round as often
 * as that takes, in an order of its own each time.
 */
import type { UnreadableTile } from '../types.js';
import { type Batch, Loader, type LoaderOptions, type Position } from './loader.js';

export interface PairedPosition {
  /** 0-based, and batches of the epoch done. */
  epoch: number;
  batch: number;
  source: Position;
  target: Position;
}

export interface PairedBatch {
  source: Batch;
  target: Batch;
  /** 0-based. */
  epoch: number;
  next: PairedPosition;
  release(): void;
}

export interface PairedUnreadable {
  source: readonly UnreadableTile[];
  target: readonly UnreadableTile[];
}

type SharedOptions = Omit<LoaderOptions, 'tiles' | 'epochs'> & { epochs: number };

const BEGINNING: Position = { epoch: 0, batch: 0, cursor: 0 };
export const PAIRED_BEGINNING: PairedPosition = { epoch: 0, batch: 0, source: BEGINNING, target: BEGINNING };

export class PairedLoader {
  readonly batchesPerEpoch: number;
  readonly steps: number;
  readonly #source: Loader;
  readonly #target: Loader;

  constructor(
    tiles: { source: LoaderOptions['tiles']; target: LoaderOptions['tiles'] },
    { epochs, ...shared }: SharedOptions,
    unreadable: PairedUnreadable = { source: [], target: [] },
  ) {
    const rounds = { ...shared, epochs: Number.POSITIVE_INFINITY };
    this.#source = new Loader({ ...rounds, tiles: tiles.source }, unreadable.source);
    this.#target = new Loader({ ...rounds, tiles: tiles.target }, unreadable.target);
    this.batchesPerEpoch = Math.max(this.#source.batchesPerEpoch, this.#target.batchesPerEpoch);
    this.steps = this.batchesPerEpoch * epochs;
  }

  get unreadable(): PairedUnreadable {
    return { source: this.#source.unreadable, target: this.#target.unreadable };
  }

  /** All pairs of batches from `from` to the last epoch's end. */
  async *batches(from: PairedPosition): AsyncGenerator<PairedBatch, void, undefined> {
    const sources = this.#source.batches(from.source);
    const targets = this.#target.batches(from.target);
    try {
      for (let done = from.epoch * this.batchesPerEpoch + from.batch; done < this.steps; done++) {
        // Neither generator ends by itself. Both are asked at once, and waited for even if one fails.
        const [source, target] = await Promise.all([sources.next(), targets.next()]);
        if (source.done || target.done) return;
        const release = (): void => {
          source.value.release();
          target.value.release();
        };
        yield {
          source: source.value,
          target: target.value,
          epoch: Math.floor(done / this.batchesPerEpoch),
          next: {
            epoch: Math.floor((done + 1) / this.batchesPerEpoch),
            batch: (done + 1) % this.batchesPerEpoch,
            source: source.value.next,
            target: target.value.next,
          },
          release,
        };
      }
    } finally {
      await Promise.allSettled([sources.return(), targets.return()]);
    }
  }
}
