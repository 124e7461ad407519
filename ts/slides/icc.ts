/** Pixels of a slide to sRGB, by the slide's own ICC profile. */
import { reasonOf } from '../data/file-errors.js';
import { StainfoldError } from '../errors.js';
import { sharp } from '../files/sharp.js';
import type { RawTile } from '../types.js';

/** libvips converts by a profile only where an image carries it: the pixels are handed over as a TIFF that does. */
export async function toSrgb(image: RawTile, profile: Uint8Array, path: string): Promise<RawTile> {
  const { width, height } = image;
  try {
    const data = await sharp(tiffWithProfile(image, profile), { limitInputPixels: false })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer();
    if (data.length !== width * height * 3) throw new Error('it does not lead to RGB');
    return { data, width, height, channels: 3 };
  } catch (cause) {
    throw new StainfoldError(
      'STAINFOLD_SLIDE_READ',
      `${path}: its ICC profile cannot be applied: ${reasonOf(cause)}`,
      {
        cause,
        hint: 'Open the slide without icc.',
      },
    );
  }
}

/** Uncompressed, one strip; little-endian. */
function tiffWithProfile({ data, width, height }: RawTile, profile: Uint8Array): Buffer {
  const [SHORT, LONG, UNDEFINED] = [3, 4, 7];
  const entries = 10;
  const bitsAt = 8 + 2 + entries * 12 + 4;
  const profileAt = bitsAt + 6;
  const pixelsAt = profileAt + profile.length + (profile.length % 2);
  const head = Buffer.alloc(pixelsAt);
  head.write('II*\0', 0, 'latin1');
  head.writeUInt32LE(8, 4);
  head.writeUInt16LE(entries, 8);
  let at = 10;
  const entry = (tag: number, type: number, count: number, value: number): void => {
    head.writeUInt16LE(tag, at);
    head.writeUInt16LE(type, at + 2);
    head.writeUInt32LE(count, at + 4);
    head.writeUInt32LE(value, at + 8);
    at += 12;
  };
  entry(256, LONG, 1, width);
  entry(257, LONG, 1, height);
  entry(258, SHORT, 3, bitsAt);
  entry(259, SHORT, 1, 1);
  entry(262, SHORT, 1, 2);
  entry(273, LONG, 1, pixelsAt);
  entry(277, SHORT, 1, 3);
  entry(278, LONG, 1, height);
  entry(279, LONG, 1, data.length);
  entry(34675, UNDEFINED, profile.length, profileAt);
  for (let channel = 0; channel < 3; channel++) head.writeUInt16LE(8, bitsAt + 2 * channel);
  head.set(profile, profileAt);
  return Buffer.concat([head, data]);
}
