/** Tiles of any size as batches of one size for the native core. */
import { decodeImage } from '../data/decode.js';
import type { NativeTiles } from '../internal/native-stain.js';
import type { RawTile } from '../types.js';
import { type DecodedOptions, decodedTiles, type TileSource } from './decoded-tiles.js';

export interface ImageBatch {
  tiles: NativeTiles;
  /** Place of each among the tiles given. */
  indices: number[];
}

/** Pixels a native call, unless a single tile has more: 64 tiles of 128 px. */
const BATCH_PIXELS = 2 ** 20;

/** Neighbours of one size share a batch. */
export async function* imageBatches(
  source: TileSource,
  options: DecodedOptions,
): AsyncGenerator<ImageBatch, void, undefined> {
  let waiting: RawTile[] = [];
  let indices: number[] = [];
  for await (const { index, decoded } of decodedTiles(source, decodeImage, options)) {
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

/** What batches gave, tile by tile; an abort between two tiles of a batch counts as well. */
export async function* oneByOne<Result>(
  batches: AsyncIterable<readonly Result[]>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Result, void, undefined> {
  for await (const results of batches) {
    for (const result of results) {
      signal?.throwIfAborted();
      yield result;
    }
  }
}

function packed(tiles: readonly RawTile[]): NativeTiles {
  const { width, height } = tiles[0] as RawTile;
  const bytes = width * height * 3;
  const pixels = new Uint8Array(tiles.length * bytes);
  for (const [i, { data }] of tiles.entries()) pixels.set(data, i * bytes);
  return { pixels, count: tiles.length, width, height };
}
