/** JPEG tiles of a TIFF: streams without tables, whose colours the TIFF tells and not they. */

const MARKER = 0xff;
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const APP0 = 0xe0;
const APP14 = 0xee;
/** "Adobe", version 100, no flags, and transform 0: the channels are red, green and blue. 1 would be YCbCr. */
const ADOBE_RGB = Buffer.from([0xff, APP14, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, 0]);

/**
 * A whole JPEG: the tables' segments, then the tile's. TIFF Technical Note 2 has both between SOI and EOI. `rgb`: the tile's
 * channels are no YCbCr; a decoder left alone would take them for it, so that is said, and what says otherwise is left out.
 */
export function abbreviatedJpeg(tile: Buffer, tables: Buffer | undefined, rgb: boolean): Buffer {
  if (tile[0] !== MARKER || tile[1] !== SOI) throw new Error('it does not begin like a JPEG');
  const start = Buffer.from([MARKER, SOI]);
  const shared = tables === undefined ? [] : [withoutEnds(tables)];
  if (!rgb) return Buffer.concat([start, ...shared, tile.subarray(2)]);
  return Buffer.concat([start, ADOBE_RGB, ...shared.map(withoutColour), withoutColour(tile.subarray(2))]);
}

function withoutEnds(tables: Buffer): Buffer {
  const from = tables[0] === MARKER && tables[1] === SOI ? 2 : 0;
  const ends = tables.length >= from + 2 && tables.at(-2) === MARKER && tables.at(-1) === EOI;
  return tables.subarray(from, ends ? tables.length - 2 : tables.length);
}

/** Segments without JFIF's and Adobe's, which come before the scan. */
function withoutColour(segments: Buffer): Buffer {
  const kept: Buffer[] = [];
  let at = 0;
  while (at + 4 <= segments.length && segments[at] === MARKER && segments[at + 1] !== SOS) {
    const marker = segments[at + 1];
    const end = at + 2 + segments.readUInt16BE(at + 2);
    if (marker !== APP0 && marker !== APP14) kept.push(segments.subarray(at, end));
    at = end;
  }
  return Buffer.concat([...kept, segments.subarray(at)]);
}
