import sharp from 'sharp';
import type { RawTile } from '../types.js';
import { checkRaw } from './decode.js';

/** The tile as PNG. Same pixels: same bytes. */
export async function encodePng(tile: RawTile): Promise<Uint8Array> {
  checkRaw(tile);
  const { data, width, height, channels } = tile;
  return sharp(data, { raw: { width, height, channels } }).png().toBuffer();
}
