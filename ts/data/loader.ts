/**
 * Batches of decoded tiles for training, in an order that depends on nothing but the seed, the epoch and which tiles can be
 * read. Decoding runs ahead by a fixed number of tiles, so memory is bounded by that, the batches handed out, and the cache.
 */
import { StainfoldError } from '../errors.js';
import type { Profiler, UnreadableTile } from '../types.js';
import { DECODE_AHEAD, decodeTile } from './decode.js';
import { reasonOf } from './file-errors.js';
import { permutation } from './order.js';
import { mayBePacked } from './pack.js';
import { TileCache } from './tile-cache.js';
import type { Tile } from './tile-set.js';

export interface LoaderOptions {
  tiles: readonly Tile[];
  tileSize: number;
  batchSize: number;
  epochs: number;
  seed: number;
  cacheBytes: number;
  /** Throw STAINFOLD_TILE_UNREADABLE instead of skipping. */
  strict: boolean;
  profile?: Profiler | undefined;
}

/** A place between two batches. */
export interface Position {
  /** 0-based. */
  epoch: number;
  /** Batches of the epoch done. */
  batch: number;
  /** Index into the epoch's order of the next tile. */
  cursor: number;
}

export interface Batch {
  /** [count,tileSize,tileSize,3]. Belongs to the receiver until `release()`. */
  pixels: Uint8Array;
  count: number;
  /** Index of each row's tile. */
  tiles: Int32Array;
  /** 0-based. */
  epoch: number;
  /** Where the next batch begins: what a checkpoint after this batch records. */
  next: Position;
  /** Unreadable tiles met up to and including this batch. */
  unreadable: readonly UnreadableTile[];
  /** Hands the memory back for a later batch. */
  release(): void;
}

type Decoded = { pixels: Uint8Array } | { reason: string };

export class Loader {
  /** The remainder of an epoch is dropped; a set smaller than one batch is one batch. */
  readonly batchesPerEpoch: number;
  readonly #options: LoaderOptions;
  readonly #cache: TileCache;
  readonly #unreadable = new Map<string, UnreadableTile>();
  readonly #spare: Uint8Array[] = [];

  constructor(options: LoaderOptions, unreadable: readonly UnreadableTile[] = []) {
    this.#options = options;
    this.#cache = new TileCache(options.cacheBytes);
    this.batchesPerEpoch = Math.max(1, Math.floor(options.tiles.length / options.batchSize));
    for (const tile of unreadable) this.#unreadable.set(tile.file, tile);
  }

  get steps(): number {
    return this.batchesPerEpoch * this.#options.epochs;
  }

  /** Unreadable tiles met so far, each once. */
  get unreadable(): readonly UnreadableTile[] {
    return [...this.#unreadable.values()];
  }

  /** All batches from `from` to the last epoch's end. */
  async *batches(from: Position, signal?: AbortSignal): AsyncGenerator<Batch, void, undefined> {
    const { tiles, epochs, seed } = this.#options;
    let { epoch, batch, cursor } = from;
    for (; epoch < epochs; epoch++, batch = 0, cursor = 0) {
      const stream = new TileStream(permutation(tiles.length, seed, epoch), cursor, (tile) =>
        this.#decode(tile),
      );
      try {
        for (; batch < this.batchesPerEpoch; batch++) {
          signal?.throwIfAborted();
          const filled = await this.#fill(stream, this.batchesPerEpoch - batch);
          const last = batch + 1 === this.batchesPerEpoch;
          const next = last
            ? { epoch: epoch + 1, batch: 0, cursor: 0 }
            : { epoch, batch: batch + 1, cursor: stream.cursor };
          yield { ...filled, epoch, next, unreadable: this.unreadable };
        }
      } finally {
        await stream.settle();
      }
    }
  }

  async #fill(
    stream: TileStream,
    batchesLeft: number,
  ): Promise<Omit<Batch, 'epoch' | 'next' | 'unreadable'>> {
    const { tiles, tileSize, batchSize, strict } = this.#options;
    const tileBytes = tileSize * tileSize * 3;
    const size = Math.min(batchSize, tiles.length);
    const memory = this.#spare.pop() ?? new Uint8Array(size * tileBytes);
    const rows = new Int32Array(size);
    let count = 0;
    // An unreadable tile's place goes to the next in order, past the end of the epoch to its beginning if need be. One
    // full circle at most, so that no batch holds a tile twice: repulsion between a tile and itself would be wrong.
    for (let visited = 0; visited < tiles.length && count < size; visited++) {
      const { index, decoded } = await stream.next(
        Math.min(size * batchesLeft - count, tiles.length - visited),
      );
      if ('pixels' in decoded) {
        memory.set(decoded.pixels, count * tileBytes);
        rows[count++] = index;
        continue;
      }
      const { file } = tiles[index] as Tile;
      if (strict) throw new StainfoldError('STAINFOLD_TILE_UNREADABLE', `${file}: ${decoded.reason}`);
      this.#unreadable.set(file, { file, reason: decoded.reason });
    }
    if (count < 2) {
      throw new StainfoldError(
        'STAINFOLD_TILES_EMPTY',
        `Only ${count} of ${tiles.length} tiles can be read, training needs 2 at least${this.#firstReason()}`,
        { hint: 'Give more tiles, or repair the unreadable ones.' },
      );
    }
    const release = (): void => void this.#spare.push(memory);
    return { pixels: memory.subarray(0, count * tileBytes), count, tiles: rows.subarray(0, count), release };
  }

  #firstReason(): string {
    const [first] = this.unreadable;
    return first === undefined ? '' : `; ${first.file}: ${first.reason}`;
  }

  async #decode(index: number): Promise<Decoded> {
    const { file, path } = this.#options.tiles[index] as Tile;
    const known = this.#unreadable.get(file);
    if (known !== undefined) return { reason: known.reason };
    const cached = this.#cache.get(path);
    if (cached !== undefined) return { pixels: cached };
    try {
      const { tileSize, profile } = this.#options;
      const pixels = await decodeTile(path, tileSize, profile);
      // The system keeps what is read of a pack.
      if (!mayBePacked(path)) this.#cache.add(path, pixels);
      return { pixels };
    } catch (error) {
      if (!(error instanceof StainfoldError)) throw error;
      return { reason: reasonOf(error.cause ?? error) };
    }
  }
}

/** The endless circle of one epoch's order, decoded ahead. */
class TileStream {
  /** Place in the order of the next tile that `next` gives. */
  cursor: number;
  readonly #order: Uint32Array;
  readonly #decode: (index: number) => Promise<Decoded>;
  readonly #ahead: Promise<Decoded>[] = [];

  constructor(order: Uint32Array, cursor: number, decode: (index: number) => Promise<Decoded>) {
    this.#order = order;
    this.cursor = cursor;
    this.#decode = decode;
  }

  /** `wanted`: how many more tiles are sure to be asked for, this one included; nothing beyond them is decoded. */
  async next(wanted: number): Promise<{ index: number; decoded: Decoded }> {
    const length = this.#order.length;
    while (this.#ahead.length < Math.min(wanted, DECODE_AHEAD)) {
      const index = this.#order[(this.cursor + this.#ahead.length) % length] as number;
      const decoding = this.#decode(index);
      decoding.catch(() => undefined);
      this.#ahead.push(decoding);
    }
    const index = this.#order[this.cursor] as number;
    const decoded = await (this.#ahead.shift() as Promise<Decoded>);
    this.cursor = (this.cursor + 1) % length;
    return { index, decoded };
  }

  async settle(): Promise<void> {
    await Promise.allSettled(this.#ahead);
  }
}
