// Packs: decoded tiles in one file, and what decodes them.
import { createHash } from 'node:crypto';
import { checkPack } from '../../../lib/api/pack.js';
import { decodeTile } from '../../../lib/data/decode.js';
import { openTileSet } from '../../../lib/data/tile-set.js';
import { allOf } from '../outcomes.js';
import { hold } from '../verdict.js';

export default {
  extension: '.pack',
  words: [
    '"tiles":{',
    '"file":[',
    '"labels":{',
    '"width":[',
    '"offset":[',
    '"crc32":[',
    '"columns":["constructor"]',
  ],
  seal(bytes) {
    if (bytes.length < 4097) return undefined;
    const sealed = Buffer.from(bytes);
    const offset = sealed.indexOf('{"format"', 4096);
    if (offset < 0) return undefined;
    const manifest = sealed.subarray(offset);
    sealed.write('SFPACK1\n', 0, 'latin1');
    sealed.writeBigUInt64LE(BigInt(offset), 8);
    sealed.writeBigUInt64LE(BigInt(manifest.length), 16);
    createHash('sha256').update(manifest).digest().copy(sealed, 24);
    return sealed;
  },
  run: (path) =>
    allOf(
      async () => {
        const { columns, tiles } = await openTileSet({ tiles: path });
        for (const { labels, path: tile, bytes } of tiles.slice(0, 4)) {
          hold(Number.isSafeInteger(bytes) && bytes >= 0, `${bytes} bytes`);
          hold(
            columns.every((name) => typeof labels[name] === 'string'),
            'a tile without a label',
          );
          const pixels = await decodeTile(tile, 32);
          hold(pixels.length === 32 * 32 * 3, 'pixels are missing');
        }
      },
      () => checkPack(path),
    ),
};
