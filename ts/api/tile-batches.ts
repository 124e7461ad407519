/** Tiles of any kind as batches of pixels for the native core, decoded ahead by a bounded number of tiles. */
import { DECODE_CONCURRENCY, decodeTile } from '../data/decode.js';
import { reasonOf } from '../data/file-errors.js';
import { orderedMap } from '../data/ordered-map.js';
import { StainfoldError } from '../errors.js';
import type { TileInput } from '../types.js';

export type TileSource = TileInput | Iterable<TileInput> | AsyncIterable<TileInput>;

export interface PixelBatch {
  /** [count,tileSize,tileSize,3]. */
  pixels: Uint8Array;
  count: number;
}

export interface PixelBatchOptions {
  tileSize: number;
  batchSize: number;
  signal?: AbortSignal | undefined;
  /** Without it an unreadable tile is an error. */
  onUnreadable?: ((index: number, reason: string) => void) | undefined;
}

/** Batches that the native core works on at a time: one that runs, one that is ready. */
export const BATCHES_IN_FLIGHT = 2;

export async function* pixelBatches(
  source: TileSource,
  { tileSize, batchSize, signal, onUnreadable }: PixelBatchOptions,
): AsyncGenerator<PixelBatch, void, undefined> {
  const tiles = isTile(source) ? [source] : source;
  const tileBytes = tileSize * tileSize * 3;
  const size = Array.isArray(tiles) ? Math.min(batchSize, tiles.length) : batchSize;
  const decode = async (tile: TileInput): Promise<Uint8Array | StainfoldError> => {
    try {
      checkTile(tile);
      return await decodeTile(tile, tileSize);
    } catch (error) {
      if (error instanceof StainfoldError && error.code === 'STAINFOLD_TILE_UNREADABLE') return error;
      throw error;
    }
  };
  let pixels = new Uint8Array(size * tileBytes);
  let count = 0;
  let index = -1;
  for await (const decoded of orderedMap(tiles, 2 * DECODE_CONCURRENCY, decode, signal)) {
    index++;
    if (decoded instanceof StainfoldError) {
      if (onUnreadable === undefined) throw atIndex(index, decoded);
      onUnreadable(index, reasonOf(decoded.cause ?? decoded));
      continue;
    }
    pixels.set(decoded, count * tileBytes);
    if (++count < size) continue;
    yield { pixels, count };
    // The core may still read the batch that was handed out.
    pixels = new Uint8Array(size * tileBytes);
    count = 0;
  }
  if (count > 0) yield { pixels: pixels.subarray(0, count * tileBytes), count };
}

export function isTile(source: TileSource): source is TileInput {
  if (typeof source === 'string' || source instanceof Uint8Array) return true;
  if (typeof source !== 'object' || source === null) checkTile(source);
  return !(Symbol.iterator in source || Symbol.asyncIterator in source);
}

export function checkTile(tile: unknown): asserts tile is TileInput {
  if (typeof tile === 'string' || tile instanceof Uint8Array) return;
  if (typeof tile === 'object' && tile !== null && 'data' in tile) return;
  throw new StainfoldError(
    'STAINFOLD_OPTION',
    `A tile must be a path, an encoded image or a RawTile, got ${typeof tile}`,
    {
      hint: 'Give one tile, an array of tiles, or an async iterable of tiles.',
    },
  );
}

export function atIndex(index: number, error: StainfoldError): StainfoldError {
  const detail = error.message.slice(0, -error.hint.length);
  return new StainfoldError(error.code, `Tile ${index}: ${detail}`, { cause: error.cause ?? error });
}
