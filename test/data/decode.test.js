import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { decodeTile, probeTile } from '../../lib/data/decode.js';
import { encodePng } from '../../lib/data/encode.js';
import { pixels, raw, temporaryFolder } from './tiles.js';

const SIZE = 32;
const rgb = pixels(SIZE, 1);
const flat = (value, channels) => new Uint8Array(SIZE * SIZE * channels).map((_, i) => value[i % channels]);
const unreadable = { code: 'STAINFOLD_TILE_UNREADABLE' };

for (const format of ['png', 'tiff', 'webp']) {
  test(`${format}: lossless pixels come out unchanged`, async (t) => {
    const image = sharp(rgb, raw(SIZE));
    const bytes = await (format === 'webp'
      ? image.webp({ lossless: true })
      : image.toFormat(format, format === 'tiff' ? { compression: 'lzw' } : {})
    ).toBuffer();
    t.deepEqual(new Uint8Array(await decodeTile(bytes, SIZE)), rgb);
  });
}

test('jpeg: within the loss of quality 95', async (t) => {
  const smooth = new Uint8Array(SIZE * SIZE * 3).map((_, i) => 100 + Math.floor(i / 96));
  const got = await decodeTile(await sharp(smooth, raw(SIZE)).jpeg({ quality: 95 }).toBuffer(), SIZE);
  t.true(got.every((value, i) => Math.abs(value - smooth[i]) <= 4));
});

test('grey becomes RGB', async (t) => {
  const grey = await sharp(new Uint8Array(SIZE * SIZE).fill(77), raw(SIZE, 1))
    .toColourspace('b-w')
    .png()
    .toBuffer();
  t.deepEqual(new Uint8Array(await decodeTile(grey, SIZE)), flat([77, 77, 77], 3));
});

test('alpha is laid over white', async (t) => {
  const bytes = await sharp(flat([10, 20, 30, 0], 4), raw(SIZE, 4))
    .png()
    .toBuffer();
  t.deepEqual(new Uint8Array(await decodeTile(bytes, SIZE)), flat([255, 255, 255], 3));
  const half = { data: flat([0, 0, 0, 128], 4), width: SIZE, height: SIZE, channels: 4 };
  // 255 * (1 - 128/255) = 127; one grey level for rounding.
  t.true((await decodeTile(half, SIZE)).every((value) => Math.abs(value - 127) <= 1));
});

test('16 bits become 8', async (t) => {
  const deep = new Uint16Array(SIZE * SIZE * 3).fill(0x8080);
  const image = sharp(deep, raw(SIZE)).toColourspace('rgb16');
  for (const bytes of [await image.clone().png().toBuffer(), await image.clone().tiff().toBuffer()]) {
    t.true((await decodeTile(bytes, SIZE)).every((value) => Math.abs(value - 128) <= 1));
  }
});

test('a 1-pixel and a white tile are tiles', async (t) => {
  const one = await sharp(Uint8Array.of(9, 8, 7), raw(1))
    .png()
    .toBuffer();
  t.deepEqual(new Uint8Array(await decodeTile(one, SIZE)), flat([9, 8, 7], 3));
  const white = await sharp(flat([255, 255, 255], 3), raw(SIZE))
    .png()
    .toBuffer();
  t.deepEqual(new Uint8Array(await decodeTile(white, SIZE)), flat([255, 255, 255], 3));
});

test('other sizes cover the square and are cropped about the centre', async (t) => {
  // 96 x 32: red, green, blue thirds. The centre third is green.
  const wide = new Uint8Array(96 * 32 * 3).map((_, i) =>
    Math.floor(((i / 3) % 96) / 32) === i % 3 ? 200 : 0,
  );
  const got = await decodeTile({ data: wide, width: 96, height: 32, channels: 3 }, 32);
  t.deepEqual(new Uint8Array(got), flat([0, 200, 0], 3));
});

test('EXIF orientation is applied', async (t) => {
  const top = new Uint8Array(SIZE * SIZE * 3).map((_, i) => (i < (SIZE * SIZE * 3) / 2 ? 255 : 0));
  const turned = await sharp(top, raw(SIZE)).withMetadata({ orientation: 3 }).png().toBuffer();
  const got = await decodeTile(turned, SIZE);
  t.is(got[0], 0);
  t.is(got.at(-1), 255);
});

test('raw tiles: a matching one is taken as it is, contradictions are named', async (t) => {
  const tile = { data: rgb, width: SIZE, height: SIZE, channels: 3 };
  t.is(await decodeTile(tile, SIZE), rgb);
  await t.throwsAsync(decodeTile({ ...tile, width: 31 }, SIZE), {
    code: 'STAINFOLD_SHAPE',
    message: /31 x 32 x 3.*got 3072/,
  });
  await t.throwsAsync(decodeTile({ ...tile, channels: 2 }, SIZE), { code: 'STAINFOLD_SHAPE' });
  await t.throwsAsync(decodeTile({ ...tile, data: new Float32Array(3072) }, SIZE), {
    code: 'STAINFOLD_DTYPE',
    message: /Float32Array/,
  });
});

test('damaged images are refused whole, with the reason', async (t) => {
  const jpeg = await sharp(pixels(128, 2), raw(128)).jpeg().toBuffer();
  const png = await sharp(pixels(128, 2), raw(128)).png().toBuffer();
  const corrupt = Buffer.from(jpeg);
  for (let i = 20; i < corrupt.length - 2; i += 3) corrupt[i] ^= 0x55;
  for (const bytes of [
    jpeg.subarray(0, jpeg.length / 2),
    png.subarray(0, png.length / 2),
    corrupt,
    Buffer.from('no image'),
    Buffer.alloc(0),
  ]) {
    const error = await t.throwsAsync(decodeTile(bytes, SIZE), unreadable);
    t.regex(error.message, new RegExp(`image of ${bytes.length} bytes: \\w+`));
  }
  await t.throwsAsync(decodeTile('/does/not/exist.png', SIZE), {
    ...unreadable,
    message: /exist\.png: .*missing/,
  });
  await t.throwsAsync(decodeTile('/does/not/exist.bmp', SIZE), { ...unreadable, message: /ENOENT/ });
});

/** Reference writer: 24 or 32 bits, bottom-up or top-down, rows padded to 4 bytes. */
function bmp(rgbPixels, width, height, { bits = 24, topDown = false } = {}) {
  const bytesPerPixel = bits / 8;
  const stride = Math.ceil((width * bytesPerPixel) / 4) * 4;
  const out = Buffer.alloc(54 + stride * height, 0xee);
  out.write('BM');
  out.writeUInt32LE(54, 10);
  out.writeUInt32LE(40, 14);
  out.writeInt32LE(width, 18);
  out.writeInt32LE(topDown ? -height : height, 22);
  out.writeUInt16LE(1, 26);
  out.writeUInt16LE(bits, 28);
  out.writeUInt32LE(0, 30);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const row = topDown ? y : height - 1 - y;
      for (let c = 0; c < 3; c++)
        out[54 + row * stride + x * bytesPerPixel + c] = rgbPixels[(y * width + x) * 3 + 2 - c];
    }
  }
  return out;
}

test('bmp: 24 and 32 bits, padded rows, both directions', async (t) => {
  const folder = await temporaryFolder(t);
  for (const options of [{}, { bits: 32 }, { topDown: true }, { bits: 32, topDown: true }]) {
    const path = join(folder, 'tile.bmp');
    await writeFile(path, bmp(rgb, SIZE, SIZE, options));
    t.deepEqual(new Uint8Array(await decodeTile(path, SIZE)), rgb, JSON.stringify(options));
  }
  // 33 pixels of 3 bytes leave one byte of padding: a reader that ignores it shears the image.
  const wide = bmp(pixels(33, 5), 33, 33);
  const expected = await decodeTile({ data: pixels(33, 5), width: 33, height: 33, channels: 3 }, SIZE);
  t.deepEqual(await decodeTile(wide, SIZE), expected);
  t.deepEqual(await probeTile(wide), { width: 33, height: 33 });
});

test('bmp: what is not supported or damaged says so', async (t) => {
  const good = bmp(rgb, SIZE, SIZE);
  const palette = Buffer.from(good);
  palette.writeUInt16LE(8, 28);
  const compressed = Buffer.from(good);
  compressed.writeUInt32LE(1, 30);
  await t.throwsAsync(decodeTile(palette, SIZE), { ...unreadable, message: /8 bits a pixel/ });
  await t.throwsAsync(decodeTile(compressed, SIZE), { ...unreadable, message: /compression 1/ });
  await t.throwsAsync(decodeTile(good.subarray(0, 1000), SIZE), { ...unreadable, message: /truncated/ });
  await t.throwsAsync(decodeTile(good.subarray(0, 20), SIZE), { ...unreadable, message: /truncated/ });
});

test('encoding: PNG that decodes to the same pixels; contradictions are named', async (t) => {
  const tile = { data: rgb, width: SIZE, height: SIZE, channels: 3 };
  t.deepEqual(new Uint8Array(await decodeTile(await encodePng(tile), SIZE)), rgb);
  await t.throwsAsync(encodePng({ ...tile, height: 5 }), { code: 'STAINFOLD_SHAPE' });
});
