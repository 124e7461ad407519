// Tiles as image files: BMP by our own reader, all others by sharp.
import { decodeImage, decodeTile, probeTile } from '../../../lib/data/decode.js';
import { allOf } from '../outcomes.js';
import { hold } from '../verdict.js';

export default {
  extension: '.png',
  words: [
    'BM',
    '\xff\xd8\xff',
    '\x89PNG\r\n\x1a\n',
    'IHDR',
    'IDAT',
    'RIFF',
    '<svg xmlns="http://www.w3.org/2000/svg">',
  ],
  run: (path, bytes) =>
    allOf(
      async () => hold((await decodeTile(path, 32)).length === 32 * 32 * 3, 'pixels are missing'),
      async () => hold((await decodeTile(bytes, 32)).length === 32 * 32 * 3, 'pixels are missing'),
      async () => {
        const { width, height } = await probeTile(bytes);
        const { data, ...size } = await decodeImage(bytes);
        hold(data.length === size.width * size.height * 3, 'pixels are missing');
        hold(
          width * height === size.width * size.height,
          `${width} x ${height} became ${size.width} x ${size.height}`,
        );
      },
    ),
};
