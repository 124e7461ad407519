/** Embeddings that come in pieces, in whatever order, in one array that grows as they come. */
export class EmbeddingRows {
  readonly #latent: number;
  #data: Float32Array;
  #rows = 0;

  /** `expected`: rows that are likely; more make the array grow. */
  constructor(latent: number, expected: number) {
    this.#latent = latent;
    this.#data = new Float32Array(expected * latent);
  }

  /** Rows that have come. */
  get count(): number {
    return this.#rows;
  }

  /** `values`: whole rows, the first of them row `first`. */
  set(values: Float32Array, first: number): void {
    const end = first * this.#latent + values.length;
    if (end > this.#data.length) {
      const grown = new Float32Array(Math.max(end, 2 * this.#data.length));
      grown.set(this.#data);
      this.#data = grown;
    }
    this.#data.set(values, first * this.#latent);
    this.#rows += values.length / this.#latent;
  }

  /** All rows, once every one of them has come. */
  whole(): Float32Array {
    const length = this.#rows * this.#latent;
    return length === this.#data.length ? this.#data : this.#data.slice(0, length);
  }
}
