/** Decoded tiles kept between epochs, up to a number of bytes. Every epoch visits every tile once: what fits first is as good as any. */
export class TileCache {
  readonly #tiles = new Map<string, Uint8Array>();
  readonly #limit: number;
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(path: string): Uint8Array | undefined {
    return this.#tiles.get(path);
  }

  add(path: string, pixels: Uint8Array): void {
    if (this.#bytes + pixels.length > this.#limit || this.#tiles.has(path)) return;
    this.#tiles.set(path, pixels);
    this.#bytes += pixels.length;
  }
}

/**
 * Bytes of a cache that nobody chose: a quarter of the memory that this process may still take (a container's limit counts), as
 * the networks, the page cache and others want some, too; beyond 4 GiB a pack is the better place.
 */
export function affordableCache(): number {
  // Node 20.13 brought it; 20.19 is the least there is.
  return Math.min(4 * 2 ** 30, Math.floor(process.availableMemory() / 4));
}
