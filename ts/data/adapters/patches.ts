/** Cuts square patches out of large images that sharp can read. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sharp } from '../../files/sharp.js';
import { DECODE_CONCURRENCY } from '../decode.js';
import { reasonOf } from '../file-errors.js';
import { orderedMap } from '../ordered-map.js';

export interface Cut {
  /** Centre, pixels. A patch that would reach over the edge is moved inside. */
  x: number;
  y: number;
  name: string;
}

/**
 * Writes `<name>.png` for each cut into `folder`. The image is decoded once: a region of a few ten million pixels, 3 bytes each.
 *
 * @returns Why there are none, where the image cannot be read or is too small.
 */
export async function cutPatches(
  image: string,
  cuts: readonly Cut[],
  side: number,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  let pixels: { data: Buffer; width: number; height: number };
  try {
    const { data, info } = await sharp(image, { failOn: 'error' })
      .flatten({ background: { r: 255, g: 255, b: 255 } })
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) return `${info.channels} channels cannot be made RGB`;
    pixels = { data, width: info.width, height: info.height };
  } catch (cause) {
    return reasonOf(cause);
  }
  const { data, width, height } = pixels;
  if (width < side || height < side) return `${width} x ${height} pixels hold no patch of ${side}`;
  const within = (centre: number, length: number): number =>
    Math.min(length - side, Math.max(0, Math.round(centre - side / 2)));
  const cut = async ({ x, y, name }: Cut): Promise<void> => {
    const area = { left: within(x, width), top: within(y, height), width: side, height: side };
    const png = await sharp(data, { raw: { width, height, channels: 3 } })
      .extract(area)
      .png()
      .toBuffer();
    await writeFile(join(folder, `${name}.png`), png);
  };
  for await (const _ of orderedMap(cuts, DECODE_CONCURRENCY, cut, signal));
  return undefined;
}
