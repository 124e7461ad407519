import { decodeTile } from '../data/decode.js';
import { encodePng } from '../data/encode.js';
import { ownTile } from '../data/own-tile.js';
import { readTileSchema, validate } from '../internal/validate.js';
import type { RawTile, TileInput } from '../types.js';

/**
 * Decoded pixels as an encoder of this tile size sees them: RGB, resized to cover the square and centre-cropped.
 *
 * @param tileSize Side in pixels, 1 to 16384.
 *
 * @throws STAINFOLD_TILE_UNREADABLE; STAINFOLD_OPTION; STAINFOLD_SHAPE and STAINFOLD_DTYPE for raw tiles that contradict themselves.
 */
export async function readTile(tile: TileInput, tileSize: number): Promise<RawTile> {
  validate(readTileSchema, { tileSize });
  const data = await decodeTile(ownTile(tile), tileSize);
  const own = data.buffer instanceof SharedArrayBuffer ? data.slice() : data;
  return { data: own, width: tileSize, height: tileSize, channels: 3 };
}

/**
 * Decoded pixels as a PNG image.
 *
 * @throws STAINFOLD_SHAPE and STAINFOLD_DTYPE for tiles that contradict themselves.
 */
export async function encodeTile(tile: RawTile): Promise<Uint8Array> {
  return encodePng(tile);
}
