/**
 * Decoded tiles of a file, the latest used, up to a number of bytes. A tile that two reads want at a time is decoded once. Reads
 * hold what they use, so memory may pass the limit by what is in flight.
 */
export class DecodedTiles {
  readonly #limit: number;
  readonly #tiles = new Map<string, { bytes: number; tile: Promise<Uint8Array | undefined> }>();
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** `bytes`: what the tile will take. A failure is not kept. */
  get(
    key: string,
    bytes: number,
    decode: () => Promise<Uint8Array | undefined>,
  ): Promise<Uint8Array | undefined> {
    const known = this.#tiles.get(key);
    if (known !== undefined) {
      this.#tiles.delete(key);
      this.#tiles.set(key, known);
      return known.tile;
    }
    const tile = decode();
    const entry = { bytes, tile };
    this.#tiles.set(key, entry);
    this.#bytes += bytes;
    tile.catch(() => this.#drop(key, entry));
    for (const [oldest, old] of this.#tiles) {
      if (this.#bytes <= this.#limit) break;
      this.#drop(oldest, old);
    }
    return tile;
  }

  clear(): void {
    this.#tiles.clear();
    this.#bytes = 0;
  }

  #drop(key: string, entry: { bytes: number; tile: Promise<Uint8Array | undefined> }): void {
    if (this.#tiles.get(key) !== entry) return;
    this.#tiles.delete(key);
    this.#bytes -= entry.bytes;
  }
}
