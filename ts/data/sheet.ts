/** A contact sheet: pictures in rows and columns with thin gutters, a caption above each. */
import { sharp } from '../files/sharp.js';
import type { RawTile } from '../types.js';

export interface SheetCell {
  caption: string;
  picture: RawTile;
}

const GUTTER = 4;
const CAPTION = 18;

/** Rows of pictures of one size as a PNG. Rows may differ in length. */
export async function composeSheet(
  rows: readonly (readonly SheetCell[])[],
): Promise<{ png: Uint8Array; width: number; height: number }> {
  const first = rows[0]?.[0]?.picture;
  if (first === undefined) throw new RangeError('a sheet needs a picture');
  const columns = Math.max(...rows.map((row) => row.length));
  const across = first.width + GUTTER;
  const down = first.height + CAPTION + GUTTER;
  const width = columns * across + GUTTER;
  const height = rows.length * down + GUTTER;
  const cells = rows.flatMap((row, y) =>
    row.map((cell, x) => ({ ...cell, left: GUTTER + x * across, top: GUTTER + y * down })),
  );
  const captions = cells.map(
    ({ caption, left, top }) =>
      `<text x="${left}" y="${top + 13}">${escapeText(fitting(caption, first.width))}</text>`,
  );
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><g font-family="sans-serif" font-size="12" fill="#333">${captions.join('')}</g></svg>`;
  const png = await sharp({ create: { width, height, channels: 3, background: '#fff' } })
    .composite([
      ...cells.map(({ picture, left, top }) => ({
        input: Buffer.from(picture.data.buffer, picture.data.byteOffset, picture.data.length),
        raw: { width: picture.width, height: picture.height, channels: picture.channels },
        left,
        top: top + CAPTION,
      })),
      { input: Buffer.from(svg), left: 0, top: 0 },
    ])
    .removeAlpha()
    .png()
    .toBuffer();
  return { png, width, height };
}

/** The end of a caption that is too long for its picture: names differ there. About 7 pixels a letter. */
function fitting(caption: string, width: number): string {
  const letters = Math.max(4, Math.floor(width / 7));
  return caption.length <= letters ? caption : `…${caption.slice(1 - letters)}`;
}

const escapeText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
