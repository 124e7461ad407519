import { decodeTile } from '../data/decode.js';
import { encodePng } from '../data/encode.js';
import type { RawTile, TileInput } from '../types.js';

/**
 * Decoded pixels as an encoder of this tile size sees them: RGB, resized to cover the square and centre-cropped.
 *
 * @throws STAINFOLD_TILE_UNREADABLE; STAINFOLD_SHAPE and STAINFOLD_DTYPE for raw tiles that contradict themselves.
 */
export async function readTile(tile: TileInput, tileSize: number): Promise<RawTile> {
  return { data: await decodeTile(tile, tileSize), width: tileSize, height: tileSize, channels: 3 };
}

/** Decoded pixels as a PNG image. */
export async function encodeTile(tile: RawTile): Promise<Uint8Array> {
  return encodePng(tile);
}
