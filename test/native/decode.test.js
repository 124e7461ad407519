// The native JPEG decoder gives sharp's pixels to the byte, and leaves to sharp whatever wants more than that.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { decodeTile } from '../../lib/data/decode.js';
import { setJpegDecoder } from '../../lib/files/jpeg-decoder.js';
import { raw, temporaryFolder } from '../data/tiles.js';
import { addon, pixels, throwsCode } from './fixtures.js';

const SIDE = 48;
const missing = addon.decode.library === '';
if (missing) console.log('skipped: no libjpeg on this machine');
const ours = missing ? test.skip : test;
const oursSerial = missing ? test.skip : test.serial;

/** Smooth, as tissue is: noise alone would never meet the chroma's interpolation. */
const picture = (side = SIDE) => sharp(pixels(1, 3, side), raw(side)).blur(1.5);
const bySharp = async (bytes) => new Uint8Array(await sharp(bytes).toColourspace('srgb').raw().toBuffer());
const decode = async (source, side = SIDE, worker = 0) => {
  const into = new Uint8Array(side * side * 3);
  return { done: await addon.decode.jpeg(source, side, into, worker, null), into };
};

const KINDS = {
  '4:2:0': { quality: 90 },
  '4:4:4': { quality: 95, chromaSubsampling: '4:4:4' },
  progressive: { quality: 80, progressive: true },
  'coarse, trellis': { quality: 30, mozjpeg: true },
};
for (const [name, options] of Object.entries(KINDS)) {
  ours(`${name}: sharp's pixels, from bytes and from a file`, async (t) => {
    const bytes = await picture().jpeg(options).toBuffer();
    const path = join(await temporaryFolder(t), 'tile.jpg');
    await writeFile(path, bytes);
    const expected = await bySharp(bytes);
    for (const source of [bytes, path]) {
      const { done, into } = await decode(source);
      t.true(done);
      t.deepEqual(into, expected);
    }
  });
}

ours('a side that no block divides', async (t) => {
  const bytes = await picture(37).jpeg().toBuffer();
  t.deepEqual((await decode(bytes, 37)).into, await bySharp(bytes));
});

ours('what is not for it: it says so', async (t) => {
  const jpeg = await picture().jpeg().toBuffer();
  const refused = {
    'another size': [jpeg, SIDE + 1],
    grey: [await picture().toColourspace('b-w').jpeg().toBuffer()],
    cmyk: [await picture().toColourspace('cmyk').jpeg().toBuffer()],
    'an ICC profile': [await picture().withIccProfile('p3').jpeg().toBuffer()],
    EXIF: [await picture().withMetadata({ orientation: 6 }).jpeg().toBuffer()],
    'a cut-off file': [jpeg.subarray(0, jpeg.length - 200)],
    'another format': [await picture().png().toBuffer()],
    'no image': [Buffer.from('hello there')],
    'no file': ['/nowhere/tile.jpg'],
    'a folder': ['/'],
  };
  for (const [what, [source, side]] of Object.entries(refused)) {
    t.false((await decode(source, side)).done, what);
  }
});

ours('damage within: never pixels that sharp would refuse', async (t) => {
  const jpeg = await picture().jpeg().toBuffer();
  for (let at = 0; at < jpeg.length; at += 7) {
    const damaged = Buffer.from(jpeg);
    damaged[at] ^= 0x5a;
    const { done, into } = await decode(damaged);
    if (!done) continue;
    t.deepEqual(into, await bySharp(damaged), `byte ${at}`);
  }
});

test('arguments that do not fit', async (t) => {
  const call =
    (...args) =>
    () =>
      addon.decode.jpeg(...args);
  await throwsCode(t, call(Buffer.alloc(4), 32, new Uint8Array(5), 0, null), 'STAINFOLD_SHAPE');
  await throwsCode(t, call(Buffer.alloc(4), 0, new Uint8Array(5), 0, null), 'STAINFOLD_OPTION');
  await throwsCode(t, call(Buffer.alloc(4), 32, new Uint8Array(3072), 256, null), 'STAINFOLD_OPTION');
  await throwsCode(t, call(3, 32, new Uint8Array(3072), 0, null), 'STAINFOLD_DTYPE');
  await throwsCode(
    t,
    call(Buffer.alloc(4), 32, new Uint8Array(3072), 0, new Float64Array(2)),
    'STAINFOLD_SHAPE',
  );
});

oursSerial('decodeTile is the same with and without it', async (t) => {
  const bytes = await picture().jpeg({ quality: 90 }).toBuffer();
  const turned = await picture().withMetadata({ orientation: 6 }).jpeg().toBuffer();
  for (const [tile, side] of [
    [bytes, SIDE],
    [bytes, 32],
    [turned, SIDE],
  ]) {
    setJpegDecoder(addon.decode.jpeg);
    const native = new Uint8Array(await decodeTile(tile, side));
    setJpegDecoder(undefined);
    t.deepEqual(native, new Uint8Array(await decodeTile(tile, side)));
    setJpegDecoder(addon.decode.jpeg);
  }
});

ours('many at a time, on several threads', async (t) => {
  const all = await Promise.all(
    Array.from({ length: 24 }, (_, i) =>
      sharp(pixels(1, i + 1, SIDE), raw(SIDE))
        .jpeg()
        .toBuffer(),
    ),
  );
  const decoded = await Promise.all(all.map((bytes, i) => decode(bytes, SIDE, i % 3)));
  for (const [i, { done, into }] of decoded.entries()) {
    t.true(done);
    t.deepEqual(into, await bySharp(all[i]));
  }
});
