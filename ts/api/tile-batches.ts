/** Tiles of any kind as batches of pixels for the native core. */
import { decodeTile } from '../data/decode.js';
import { type DecodedOptions, decodedTiles, listOf, type TileSource } from './decoded-tiles.js';

export interface PixelBatch {
  /** [count,tileSize,tileSize,3]. */
  pixels: Uint8Array;
  count: number;
}

export interface PixelBatchOptions extends DecodedOptions {
  tileSize: number;
  batchSize: number;
}

/** Batches that the native core works on at a time: one that runs, one that is ready. */
export const BATCHES_IN_FLIGHT = 2;

export async function* pixelBatches(
  source: TileSource,
  { tileSize, batchSize, ...options }: PixelBatchOptions,
): AsyncGenerator<PixelBatch, void, undefined> {
  const tiles = listOf(source);
  const tileBytes = tileSize * tileSize * 3;
  const size = Array.isArray(tiles) ? Math.min(batchSize, tiles.length) : batchSize;
  let pixels = new Uint8Array(size * tileBytes);
  let count = 0;
  for await (const { decoded } of decodedTiles(tiles, (tile) => decodeTile(tile, tileSize), options)) {
    pixels.set(decoded, count * tileBytes);
    if (++count < size) continue;
    yield { pixels, count };
    // The core may still read the batch that was handed out.
    pixels = new Uint8Array(size * tileBytes);
    count = 0;
  }
  if (count > 0) yield { pixels: pixels.subarray(0, count * tileBytes), count };
}
