/**
 * The tiles of a slide through the encoder: reading runs ahead while the encoder works. Batches are whole from the first tile
 * on, so that a stream begun at the `next` of a chunk goes on with the very batches of one that was never interrupted.
 */
import { decodeTile } from '../data/decode.js';
import { orderedMap } from '../data/ordered-map.js';
import type { RejectedTile, SlideChunk, SlideProgress, SlideTile, TileOutliers } from '../types.js';

/** Batches that the native core works on at a time: one that runs, one that is ready. */
const BATCHES_IN_FLIGHT = 2;

interface StreamOptions {
  /** Side of the slide's tiles, pixels. */
  tileSize: number;
  /** Side of the encoder's. */
  encoderSize: number;
  batchSize: number;
  /** Batches a chunk. */
  chunkBatches: number;
  dimensions: number;
  /** Index of the first tile, and how many there are. */
  from: number;
  count: number;
  /** Filled while tiles are read: those that cannot be. */
  unreadable: RejectedTile[];
  embed(tiles: readonly Uint8Array[]): Promise<Float32Array>;
  score: ((tiles: readonly Uint8Array[], features: Float32Array) => Promise<TileOutliers>) | undefined;
  signal: AbortSignal | undefined;
  onProgress: ((progress: SlideProgress) => void) | undefined;
}

interface Batch {
  tiles: Uint8Array[];
  indices: number[];
  coords: number[];
  rejected: RejectedTile[];
  next: number;
}

type Embedded = Omit<Batch, 'tiles'> & { features: Float32Array; scores?: TileOutliers };

export async function* streamTiles(
  tiles: AsyncIterable<SlideTile>,
  options: StreamOptions,
): AsyncGenerator<SlideChunk, void, undefined> {
  const { chunkBatches, dimensions, signal, onProgress } = options;
  const clock = new EncoderClock();
  const work = async (batch: Batch): Promise<Embedded> => {
    const { tiles, ...rest } = batch;
    if (tiles.length === 0) return { ...rest, features: new Float32Array() };
    return await clock.timed(async () => {
      const features = await options.embed(tiles);
      const scores = await options.score?.(tiles, features);
      return { ...rest, features, ...(scores && { scores }) };
    });
  };
  let waiting: Embedded[] = [];
  for await (const done of orderedMap(batches(tiles, options), BATCHES_IN_FLIGHT, work, signal)) {
    waiting.push(done);
    onProgress?.(clock.progress(done.next, options));
    if (waiting.length < chunkBatches && done.next < options.count) continue;
    yield joined(waiting, dimensions, options.score !== undefined);
    waiting = [];
  }
}

/** Batches of `batchSize` tiles that are to be embedded; the last has fewer, and says that all tiles are done. */
async function* batches(tiles: AsyncIterable<SlideTile>, options: StreamOptions): AsyncGenerator<Batch> {
  const { batchSize, encoderSize, tileSize, count, unreadable } = options;
  const empty = (): Batch => ({ tiles: [], indices: [], coords: [], rejected: [], next: options.from });
  let batch = empty();
  let yielded = options.from;
  for await (const { index, x, y, status, pixels } of tiles) {
    batch.next = index + 1;
    if (status !== 'ok' && status !== 'unchecked') {
      batch.rejected.push({ index, status });
      continue;
    }
    const raw = { data: pixels, width: tileSize, height: tileSize, channels: 3 } as const;
    batch.tiles.push(await decodeTile(raw, encoderSize));
    batch.indices.push(index);
    batch.coords.push(x, y);
    if (batch.indices.length < batchSize) continue;
    yield withUnreadable(batch, unreadable);
    yielded = batch.next;
    batch = empty();
  }
  if (yielded === count) return;
  batch.next = count;
  yield withUnreadable(batch, unreadable);
}

/** Those that came before the batch's end go with it. */
function withUnreadable(batch: Batch, unreadable: RejectedTile[]): Batch {
  const here = unreadable.filter(({ index }) => index < batch.next);
  unreadable.splice(0, unreadable.length, ...unreadable.filter(({ index }) => index >= batch.next));
  return { ...batch, rejected: [...batch.rejected, ...here].sort((a, b) => a.index - b.index) };
}

function joined(parts: readonly Embedded[], dimensions: number, scored: boolean): SlideChunk {
  const indices = Int32Array.from(parts.flatMap((part) => part.indices));
  const features = new Float32Array(indices.length * dimensions);
  let at = 0;
  for (const part of parts) {
    features.set(part.features, at);
    at += part.features.length;
  }
  const scores = (name: keyof TileOutliers) =>
    Float64Array.from(parts.flatMap((part) => Array.from(part.scores?.[name] ?? [])));
  return {
    features,
    ...(scored && { scores: { score: scores('score'), p: scores('p') } }),
    coords: Int32Array.from(parts.flatMap(({ coords }) => coords)),
    indices,
    next: parts.at(-1)?.next ?? 0,
    rejected: parts.flatMap(({ rejected }) => rejected),
  };
}

/** How long the encoder had a batch to work on. */
class EncoderClock {
  readonly #begun = performance.now();
  #running = 0;
  #since = 0;
  #busy = 0;

  async timed<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#running++ === 0) this.#since = performance.now();
    try {
      return await work();
    } finally {
      if (--this.#running === 0) this.#busy += performance.now() - this.#since;
    }
  }

  progress(done: number, { from, count }: StreamOptions): SlideProgress {
    const now = performance.now();
    const elapsed = Math.max(1e-3, now - this.#begun);
    const busy = this.#busy + (this.#running > 0 ? now - this.#since : 0);
    const encoderBusy = Math.min(1, busy / elapsed);
    return {
      done,
      total: count,
      tilesPerSecond: ((done - from) / elapsed) * 1000,
      encoderBusy,
      bottleneck: encoderBusy >= BUSY ? 'encoder' : 'reading',
    };
  }
}

/** An encoder that waits less than this leaves is what the rest waits for: the first batch has to be read before it can start. */
const BUSY = 0.85;
