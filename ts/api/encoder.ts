import { orderedMap } from '../data/ordered-map.js';
import { StainfoldError } from '../errors.js';
import { loadNative } from '../internal/load.js';
import type { NativeAddon, NativeEmbedder } from '../internal/native.js';
import { embedSchema, encoderSchema, validate } from '../internal/validate.js';
import type { Embeddings, EmbedOptions, Encoder, EncoderOptions, ModelInfo, RawTile } from '../types.js';
import { isServed, readModel } from './model-file.js';
import { BATCHES_IN_FLIGHT, type PixelBatch, pixelBatches, type TileSource } from './tile-batches.js';

export type EncoderSettings = ReturnType<typeof validate<typeof encoderSchema>>;

/**
 * Loads model.safetensors or checkpoint.safetensors, or by its name a model that comes with the package, for embedding.
 *
 * @example
 * await using encoder = await loadEncoder('run/model.safetensors');
 * const { data, shape } = await encoder.embed(['a.png', 'b.png']); // shape: [2, 128]
 *
 * @throws STAINFOLD_FILE_NOT_FOUND, STAINFOLD_SAFETENSORS, STAINFOLD_CHECKPOINT, STAINFOLD_WEIGHTS; STAINFOLD_DEVICE; STAINFOLD_OPTION,
 *   STAINFOLD_OPTION_UNKNOWN; and what loading the core throws.
 */
export async function loadEncoder(path: string, options: EncoderOptions = {}): Promise<Encoder> {
  const settings = validate(encoderSchema, options);
  settings.signal?.throwIfAborted();
  return openEncoder(() => loadNative({ libtorch: settings.libtorch }), path, settings);
}

export async function openEncoder(
  load: () => Promise<NativeAddon>,
  path: string,
  settings: EncoderSettings,
): Promise<Encoder> {
  const { info, specs, data } = await readModel(path, isServed);
  const native = await load();
  if (settings.threads !== undefined) native.setThreads(settings.threads);
  const { device, precision } = settings;
  const model = { size: info.size, latent: info.latent, tileSize: info.tileSize };
  const embedder = new native.Embedder({ model, device, precision, seed: 0 });
  try {
    const opened = await embedder.open(specs, data);
    settings.signal?.throwIfAborted();
    return new LoadedEncoder(embedder, info, opened, settings.batchSize);
  } catch (error) {
    await embedder.dispose();
    throw error;
  }
}

class LoadedEncoder implements Encoder {
  readonly info: ModelInfo;
  readonly device: string;
  readonly precision: string;
  readonly #native: NativeEmbedder;
  readonly #batchSize: number;
  #disposed = false;

  constructor(
    native: NativeEmbedder,
    info: ModelInfo,
    opened: { device: string; precision: string },
    batchSize: number,
  ) {
    this.info = info;
    this.device = opened.device;
    this.precision = opened.precision;
    this.#native = native;
    this.#batchSize = batchSize;
  }

  async embed(tiles: TileSource, options: EmbedOptions = {}): Promise<Embeddings> {
    const parts: Float32Array[] = [];
    await this.#run(
      tiles,
      options,
      async ({ pixels, count }) => this.#native.embed(pixels, count),
      (part) => {
        parts.push(part);
      },
    );
    const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of parts) {
      data.set(part, offset);
      offset += part.length;
    }
    return { data, shape: [data.length / this.info.latent, this.info.latent] };
  }

  async reconstruct(tiles: TileSource, options: EmbedOptions = {}): Promise<RawTile[]> {
    const { tileSize } = this.info;
    const tileBytes = tileSize * tileSize * 3;
    const drawn: RawTile[] = [];
    await this.#run(
      tiles,
      options,
      async ({ pixels, count }) => this.#native.reconstruct(pixels, count),
      (part) => {
        for (let start = 0; start < part.length; start += tileBytes) {
          const data = part.slice(start, start + tileBytes);
          drawn.push({ data, width: tileSize, height: tileSize, channels: 3 });
        }
      },
    );
    return drawn;
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    await this.#native.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  async #run<Part>(
    tiles: TileSource,
    options: EmbedOptions,
    call: (batch: PixelBatch) => Promise<Part>,
    take: (part: Part) => void,
  ): Promise<void> {
    const { signal, onProgress, onUnreadable } = validate(embedSchema, options);
    signal?.throwIfAborted();
    this.#checkAlive();
    let done = 0;
    const work = async (batch: PixelBatch): Promise<{ part: Part; count: number }> => {
      this.#checkAlive();
      return { part: await call(batch), count: batch.count };
    };
    const { tileSize } = this.info;
    const batches = pixelBatches(tiles, { tileSize, batchSize: this.#batchSize, signal, onUnreadable });
    for await (const { part, count } of orderedMap(batches, BATCHES_IN_FLIGHT, work, signal)) {
      take(part);
      done += count;
      onProgress?.(done);
    }
  }

  #checkAlive(): void {
    if (this.#disposed)
      throw new StainfoldError('STAINFOLD_DISPOSED', 'This encoder cannot be used any more');
  }
}
