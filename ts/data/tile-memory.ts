/**
 * Where callers' tiles are copied to on their way to the native core: side by side, so that a batch of them need not be gathered,
 * and again and again into the same blocks. New memory costs a fault for each of its pages, and soon a garbage collection.
 */

/** Bytes of a block at most, unless a tile is larger. */
const LARGEST_BLOCK = 64 * 2 ** 20;
/** Blocks that wait to be used again: as many batches as a queue holds. */
const MOST_WAITING = 4;

interface Block {
  readonly memory: Uint8Array;
  /** Tiles that were begun, and those of them that somebody still reads. */
  begun: number;
  lent: number;
}

export class TileMemory {
  readonly #tileBytes: number;
  readonly #tiles: number;
  readonly #home = new WeakMap<Uint8Array, Block>();
  readonly #waiting: Block[] = [];
  #current: Block | undefined;

  /** Blocks for `batchSize` tiles. */
  constructor(tileBytes: number, batchSize: number) {
    this.#tileBytes = tileBytes;
    this.#tiles = Math.max(1, Math.min(batchSize, Math.floor(LARGEST_BLOCK / tileBytes)));
  }

  /** Of any content; new memory for what has another size. What is never given back is the garbage collector's. */
  readonly take = (bytes: number): Uint8Array => {
    if (bytes !== this.#tileBytes) return Buffer.allocUnsafeSlow(bytes);
    const block = this.#roomy();
    const tile = block.memory.subarray(block.begun * bytes, (block.begun + 1) * bytes);
    block.begun++;
    block.lent++;
    this.#home.set(tile, block);
    return tile;
  };

  /** What nobody will read again; nothing happens to other memory, nor the second time. */
  giveBack(tile: Uint8Array): void {
    const block = this.#home.get(tile);
    if (block === undefined) return;
    this.#home.delete(tile);
    block.lent--;
    if (block.lent > 0) return;
    block.begun = 0;
    if (block !== this.#current && this.#waiting.length < MOST_WAITING) this.#waiting.push(block);
  }

  #roomy(): Block {
    if (this.#current === undefined || this.#current.begun === this.#tiles) {
      const memory = (): Uint8Array => Buffer.allocUnsafeSlow(this.#tiles * this.#tileBytes);
      this.#current = this.#waiting.pop() ?? { memory: memory(), begun: 0, lent: 0 };
    }
    return this.#current;
  }
}
