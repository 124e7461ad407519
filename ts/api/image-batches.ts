/** Tiles of any size as batches of one size for the native core, decoded ahead by a bounded number of tiles. */
import { DECODE_CONCURRENCY, decodeImage } from '../data/decode.js';
import { reasonOf } from '../data/file-errors.js';
import { orderedMap } from '../data/ordered-map.js';
import { StainfoldError } from '../errors.js';
import type { NativeTiles } from '../internal/native-stain.js';
import type { RawTile, TileInput } from '../types.js';
import { atIndex, checkTile, isTile, type TileSource } from './tile-batches.js';

export interface ImageBatch {
  tiles: NativeTiles;
  /** Place of each among the tiles given. */
  indices: number[];
}

export interface ImageBatchOptions {
  signal?: AbortSignal | undefined;
  /** Without it an unreadable tile is an error. */
  onUnreadable?: ((index: number, reason: string) => void) | undefined;
}

/** Pixels a native call, unless a single tile has more: 64 tiles of 128 px. */
const BATCH_PIXELS = 2 ** 20;

/** Neighbours of one size share a batch. */
export async function* imageBatches(
  source: TileSource,
  { signal, onUnreadable }: ImageBatchOptions,
): AsyncGenerator<ImageBatch, void, undefined> {
  const tiles = isTile(source) ? [source] : source;
  let waiting: RawTile[] = [];
  let indices: number[] = [];
  let index = -1;
  for await (const decoded of orderedMap(tiles, 2 * DECODE_CONCURRENCY, decode, signal)) {
    index++;
    if (decoded instanceof StainfoldError) {
      if (onUnreadable === undefined) throw atIndex(index, decoded);
      onUnreadable(index, reasonOf(decoded.cause ?? decoded));
      continue;
    }
    const first = waiting[0];
    const area = decoded.width * decoded.height;
    const fits = first !== undefined && first.width === decoded.width && first.height === decoded.height;
    if (first !== undefined && !(fits && (waiting.length + 1) * area <= BATCH_PIXELS)) {
      yield { tiles: packed(waiting), indices };
      waiting = [];
      indices = [];
    }
    waiting.push(decoded);
    indices.push(index);
  }
  if (waiting.length > 0) yield { tiles: packed(waiting), indices };
}

async function decode(tile: TileInput): Promise<RawTile | StainfoldError> {
  try {
    checkTile(tile);
    return await decodeImage(tile);
  } catch (error) {
    if (error instanceof StainfoldError && error.code === 'STAINFOLD_TILE_UNREADABLE') return error;
    throw error;
  }
}

function packed(tiles: readonly RawTile[]): NativeTiles {
  const { width, height } = tiles[0] as RawTile;
  const bytes = width * height * 3;
  const pixels = new Uint8Array(tiles.length * bytes);
  for (const [i, { data }] of tiles.entries()) pixels.set(data, i * bytes);
  return { pixels, count: tiles.length, width, height };
}
