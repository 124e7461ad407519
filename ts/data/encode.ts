import sharp from 'sharp';
import type { RawTile } from '../types.js';

/** The tile as PNG. Same pixels: same bytes. */
export async function encodePng({ data, width, height, channels }: RawTile): Promise<Uint8Array> {
  return sharp(data, { raw: { width, height, channels } }).png().toBuffer();
}
