import { DECODE_CONCURRENCY, decodeTile, pixelsAsTheyAre } from '../data/decode.js';
import { orderedMap } from '../data/ordered-map.js';
import { ownArray } from '../data/own-tile.js';
import { TileMemory } from '../data/tile-memory.js';
import { StainfoldError } from '../errors.js';
import { loadNative } from '../internal/load.js';
import type { NativeAddon, NativeEmbedder } from '../internal/native.js';
import { embedSchema, encoderSchema, validate } from '../internal/validate.js';
import { attributeSchema } from '../internal/validate-attribution.js';
import { scoreSchema } from '../internal/validate-outliers.js';
import { embedSlideSchema } from '../internal/validate-slide-features.js';
import type {
  AttributeOptions,
  AttributionTarget,
  Embeddings,
  EmbedOptions,
  EmbedSlideOptions,
  Encoder,
  EncoderOptions,
  ModelInfo,
  RawTile,
  ScoreOptions,
  ScorePart,
  Slide,
  SlideChunk,
  TileAttribution,
  TileInput,
  TileOutliers,
  TileScores,
} from '../types.js';
import { attributeBatch, type NativeTarget } from './attribution.js';
import { decodedTiles, listOf, type TileSource } from './decoded-tiles.js';
import { EmbedQueue } from './embed-queue.js';
import { EmbeddingRows } from './embedding-rows.js';
import { isServed, readModel } from './model-file.js';
import { rememberStatistics } from './outlier-statistics.js';
import { embedSlideWith } from './slide-embed.js';
import { slideReader } from './slide-reader.js';
import { BATCHES_IN_FLIGHT, type PixelBatch, pixelBatches } from './tile-batches.js';

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
  return openEncoder(() => loadNative(settings), path, settings);
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
    const encoder = new LoadedEncoder(native, embedder, info, opened, settings, path);
    rememberStatistics(encoder, specs, data);
    return encoder;
  } catch (error) {
    await embedder.dispose();
    throw error;
  }
}

/** What the native core tells of a tile, in order; then the number of the largest part. */
const SCORE_COLUMNS = ['distance', 'reconstruction', 'stain', 'density', 'blur', 'score', 'p'] as const;
const SCORE_WIDTH = SCORE_COLUMNS.length + 1;
const PARTS: readonly ScorePart[] = ['embedding', 'reconstruction', 'stain', 'density', 'blur'];

class LoadedEncoder implements Encoder {
  readonly info: ModelInfo;
  readonly device: string;
  readonly precision: string;
  readonly #addon: NativeAddon;
  readonly #native: NativeEmbedder;
  readonly #batchSize: number;
  readonly #queue: EmbedQueue;
  readonly #memory: TileMemory;
  readonly #path: string;
  readonly #hasOutliers: boolean;
  #disposed = false;

  constructor(
    addon: NativeAddon,
    native: NativeEmbedder,
    info: ModelInfo,
    opened: { device: string; precision: string; hasOutliers: boolean },
    { batchSize, maxWaitMs }: EncoderSettings,
    path: string,
  ) {
    this.info = info;
    this.device = opened.device;
    this.precision = opened.precision;
    this.#addon = addon;
    this.#native = native;
    this.#batchSize = batchSize;
    this.#memory = new TileMemory(info.tileSize * info.tileSize * 3, batchSize);
    const embedBatch = async (
      tiles: readonly Uint8Array[],
      count: number,
      stamps: Float64Array | null,
    ): Promise<Float32Array> => {
      const z = await native.embed(tiles, count, stamps);
      for (const tile of tiles) this.#memory.giveBack(tile); // copies for the queue: nobody else has them
      return z;
    };
    this.#queue = new EmbedQueue(embedBatch, {
      maxBatch: batchSize,
      maxWaitMs,
      latent: info.latent,
    });
    this.#path = path;
    this.#hasOutliers = opened.hasOutliers;
  }

  async embed(tiles: TileSource, options: EmbedOptions = {}): Promise<Embeddings> {
    const { signal, onProgress, onUnreadable, profile } = validate(embedSchema, options);
    signal?.throwIfAborted();
    this.#checkAlive();
    const { latent, tileSize } = this.info;
    const source = listOf(tiles);
    const rows = new EmbeddingRows(latent, Array.isArray(source) ? source.length : 0);
    const caller = this.#queue.join((part, first) => {
      rows.set(part, first);
      onProgress?.(rows.count);
    }, profile);
    const abort = (): void => caller.fail(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    if (profile !== undefined) profile.workers = DECODE_CONCURRENCY;
    try {
      const decode = (tile: TileInput) =>
        pixelsAsTheyAre(tile, tileSize) ?? decodeTile(tile, tileSize, profile);
      const reading = { signal, onUnreadable, memoryOf: this.#memory.take };
      for await (const { decoded } of decodedTiles(source, decode, reading)) {
        const full = caller.add(decoded);
        if (full !== undefined) await full;
      }
      await caller.end();
    } finally {
      signal?.removeEventListener('abort', abort);
      await caller.leave();
    }
    return { data: rows.whole(), shape: [rows.count, latent] };
  }

  async *embedSlide(
    slide: string | Slide,
    options: EmbedSlideOptions = {},
  ): AsyncGenerator<SlideChunk, void, undefined> {
    const settings = validate(embedSlideSchema, options);
    this.#checkAlive();
    const { tileSize, latent: dimensions } = this.info;
    // Past the queue: a slide's batches are always the same, so that it can be resumed to the byte.
    const embed = async (tiles: readonly Uint8Array[]): Promise<Float32Array> => {
      this.#checkAlive();
      return this.#native.embed(tiles, tiles.length, null);
    };
    const score = async (tiles: readonly Uint8Array[], features: Float32Array): Promise<TileOutliers> => {
      this.#checkAlive();
      return outliersIn(await this.#native.score(tiles, tiles.length, features));
    };
    const embedder = {
      tileSize,
      dimensions,
      batchSize: this.#batchSize,
      embed,
      score: this.#hasOutliers ? score : undefined,
    };
    yield* embedSlideWith(slideReader, embedder, slide, settings as Parameters<typeof embedSlideWith>[3]);
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

  async score(tiles: TileSource, options: ScoreOptions = {}): Promise<TileScores> {
    const { level, ...run } = validate(scoreSchema, options);
    this.#checkAlive();
    if (!this.#hasOutliers) {
      throw new StainfoldError(
        'STAINFOLD_STATE',
        `${this.#path} holds no out-of-distribution statistics, or those of an earlier version`,
        {
          hint: `Fit them on its training tiles: npx stainfold ood TILES --model ${this.#path} --fit`,
        },
      );
    }
    const rows: Float64Array[] = [];
    await this.#run<Float64Array>(
      tiles,
      run as EmbedOptions,
      async ({ pixels, count }) => this.#native.score(pixels, count),
      (part) => {
        for (let at = 0; at < part.length; at += SCORE_WIDTH) rows.push(part.subarray(at, at + SCORE_WIDTH));
      },
    );
    const column = (c: number) => Float64Array.from(rows, (row) => row[c] as number);
    const scores = Object.fromEntries(SCORE_COLUMNS.map((name, c) => [name, column(c)])) as Record<
      (typeof SCORE_COLUMNS)[number],
      Float64Array
    >;
    const part = Array.from(column(SCORE_COLUMNS.length), (index) => PARTS[index] as ScorePart);
    return { ...scores, part, flagged: Array.from(scores.p, (value) => value < level) };
  }

  async attribute(tiles: TileSource, options: AttributeOptions = {}): Promise<TileAttribution[]> {
    const settings = validate(attributeSchema, options);
    settings.signal?.throwIfAborted();
    this.#checkAlive();
    const parts = {
      native: this.#addon,
      embedder: this.#native,
      tileSize: this.info.tileSize,
      target: await this.#targetOf(settings.target),
      settings,
    };
    const { signal, onProgress, onUnreadable } = settings;
    const found: TileAttribution[] = [];
    await this.#run<TileAttribution[]>(
      tiles,
      { signal, onProgress, onUnreadable } as EmbedOptions,
      (batch) => attributeBatch(batch, parts),
      (part) => {
        found.push(...part);
      },
    );
    return found;
  }

  async #targetOf(target: AttributionTarget): Promise<NativeTarget> {
    if (target === 'norm') return { kind: 'norm', vector: null };
    if ('similarTo' in target) {
      const { data } = await this.embed(target.similarTo);
      return { kind: 'similarity', vector: data };
    }
    const { direction } = target;
    const vector =
      direction instanceof Float32Array ? ownArray(direction, 'the direction') : Float32Array.from(direction);
    const { latent } = this.info;
    if (vector.length !== latent || !vector.every(Number.isFinite)) {
      throw new StainfoldError(
        'STAINFOLD_SHAPE',
        `A direction has ${latent} finite weights, as z has dimensions; got ${vector.length} numbers`,
        { hint: "Give the probe's weight for each dimension of the embedding." },
      );
    }
    return { kind: 'direction', vector };
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    this.#queue.close(disposed());
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
    if (this.#disposed) throw disposed();
  }
}

function outliersIn(rows: Float64Array): TileOutliers {
  const column = (name: (typeof SCORE_COLUMNS)[number]) => {
    const from = SCORE_COLUMNS.indexOf(name);
    return Float64Array.from(
      { length: rows.length / SCORE_WIDTH },
      (_, i) => rows[i * SCORE_WIDTH + from] as number,
    );
  };
  return { score: column('score'), p: column('p') };
}

const disposed = (): StainfoldError =>
  new StainfoldError('STAINFOLD_DISPOSED', 'This encoder cannot be used any more');
