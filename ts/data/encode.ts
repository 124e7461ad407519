import { sharp } from '../files/sharp.js';
import type { RawTile } from '../types.js';
import { ownTile } from './own-tile.js';

/** The tile as PNG. Same pixels: same bytes. */
export async function encodePng(tile: RawTile): Promise<Uint8Array> {
  const { data, width, height, channels } = ownTile(tile);
  return sharp(data, { raw: { width, height, channels } }).png().toBuffer();
}

export type LosslessFormat = 'png' | 'webp' | 'tiff';

/** The tile in a format that keeps every pixel. */
export async function encodeLossless(tile: RawTile, format: LosslessFormat): Promise<Uint8Array> {
  const { data, width, height, channels } = ownTile(tile);
  const image = sharp(data, { raw: { width, height, channels } });
  if (format === 'webp') return image.webp({ lossless: true }).toBuffer();
  if (format === 'tiff') return image.tiff({ compression: 'deflate', predictor: 'horizontal' }).toBuffer();
  return image.png().toBuffer();
}

/** 16-bit grey levels as PNG. */
export async function encodeGrey16(levels: Uint16Array, width: number, height: number): Promise<Uint8Array> {
  return sharp(levels, { raw: { width, height, channels: 1 } })
    .toColourspace('grey16')
    .png()
    .toBuffer();
}
