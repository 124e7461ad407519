// What cannot be read says so with a code and a remedy, and the rest can still be read.
import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { openSlide } from '../../lib/index.js';
import { temporaryFolder } from '../temporary.js';
import { mppTags, picture, pyramidOf, writeTiff } from './pyramids.js';

// Nothing of this file may depend on whether the machine has OpenSlide.
process.env.STAINFOLD_OPENSLIDE = '/nonexistent/libopenslide.so';

const folder = temporaryFolder('slides');
const at = (name) => join(folder, name);
const levels = pyramidOf(picture(300, 200), 3);

const refused = async (t, path, code, message, options) => {
  const error = await t.throwsAsync(openSlide(path, options), { code });
  t.is(error.name, 'StainfoldError');
  t.regex(error.message, message);
  t.true(error.message.endsWith(error.hint));
};

test('no pixel size: reading by level works, by resolution names the option', async (t) => {
  writeTiff(at('no-mpp.tif'), levels);
  const slide = await openSlide(at('no-mpp.tif'));
  t.is(slide.mpp, null);
  t.is(slide.mppSource, null);
  await slide.readRegion({ x: 0, y: 0, width: 8, height: 8, level: 1 });
  const error = await t.throwsAsync(slide.readRegion({ x: 0, y: 0, width: 8, height: 8, mpp: 0.5 }), {
    code: 'STAINFOLD_SLIDE_MPP',
  });
  t.regex(error.message, /no-mpp\.tif.*option mpp \(--mpp\)/);
  await slide.dispose();
});

test('pixel size from a CSV', async (t) => {
  writeTiff(at('listed.tif'), levels, { tags: mppTags(0.25) });
  const csv = at('mpp.csv');
  writeFileSync(csv, 'slide,mpp\nother.svs,1\nlisted,0.4\n');
  const slide = await openSlide(at('listed.tif'), { mppFile: csv });
  t.deepEqual([slide.mpp, slide.mppSource], [0.4, 'csv']);
  await slide.dispose();
  const given = await openSlide(at('listed.tif'), { mppFile: csv, mpp: 0.3 });
  t.deepEqual([given.mpp, given.mppSource], [0.3, 'option']);
  await given.dispose();
  writeFileSync(csv, 'slide,mpp\nother.svs,1\n');
  const unlisted = await openSlide(at('listed.tif'), { mppFile: csv });
  t.is(unlisted.mppSource, 'file');
  await unlisted.dispose();
  writeFileSync(csv, 'slide,mpp\nlisted.tif,half\n');
  await refused(t, at('listed.tif'), 'STAINFOLD_MANIFEST', /line 2: 'half'/, { mppFile: csv });
  writeFileSync(csv, 'name,mpp\nlisted.tif,1\n');
  await refused(t, at('listed.tif'), 'STAINFOLD_MANIFEST', /no columns slide and mpp/, { mppFile: csv });
  writeFileSync(csv, 'slide;mpp\n'); // no line to see it by
  await refused(t, at('listed.tif'), 'STAINFOLD_MANIFEST', /no columns slide and mpp/, { mppFile: csv });
  await refused(t, at('listed.tif'), 'STAINFOLD_FILE_NOT_FOUND', /none\.csv/, { mppFile: at('none.csv') });
});

test('nothing there, a folder, no slide at all', async (t) => {
  await refused(t, at('none.svs'), 'STAINFOLD_FILE_NOT_FOUND', /none\.svs/);
  mkdirSync(at('folder'));
  await refused(t, at('folder'), 'STAINFOLD_FILE_READ', /folder/);
  writeFileSync(at('text.svs'), 'no slide');
  await refused(t, at('text.svs'), 'STAINFOLD_OPENSLIDE_MISSING', /text\.svs needs OpenSlide; .*nonexistent/);
  await refused(t, at('text.svs'), 'STAINFOLD_SLIDE_FORMAT', /no TIFF/, { backend: 'tiff' });
  await refused(t, at('text.svs'), 'STAINFOLD_SLIDE_FORMAT', /cannot be read/, { backend: 'image' });
  writeFileSync(at('scan.dcm'), Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]));
  await refused(t, at('scan.dcm'), 'STAINFOLD_OPENSLIDE_MISSING', /scan\.dcm needs OpenSlide/);
});

const SHORT = 3;
const ASCII = 2;
// Kinds of TIFF that our reader must not guess at.
for (const [name, tags, reason] of [
  ['16-bit', [[258, SHORT, [16, 16, 16]]], /16 bits a sample/],
  [
    'cmyk',
    [
      [262, SHORT, 5],
      [277, SHORT, 4],
      [258, SHORT, [8, 8, 8, 8]],
    ],
    /CMYK/,
  ],
  ['planar', [[284, SHORT, 2]], /planes of their own/],
  ['two-channels', [[277, SHORT, 2]], /2 channels/],
  ['jpeg2000', [[259, SHORT, 33005]], /JPEG 2000/],
  ['unknown-compression', [[259, SHORT, 99]], /number 99/],
  ['palette', [[262, SHORT, 3]], /photometric interpretation is number 3/],
  ['philips', [[305, ASCII, 'Philips DP v1.0']], /Philips TIFF/],
  ['ventana', [[700, ASCII, '<iScan Magnification="20"/>']], /Ventana BIF/],
  ['leica', [[270, ASCII, '<?xml?><scn xmlns="http://leica"/>']], /Leica SCN/],
  [
    'fluorescence',
    [
      [270, ASCII, '<OME><Image><Pixels SizeC="4"/></Image></OME>'],
      [277, SHORT, 1],
      [262, SHORT, 1],
    ],
    /fluorescence/,
  ],
]) {
  test(`${name}: left to OpenSlide, with the reason`, async (t) => {
    const path = at(`${name}.tif`);
    writeTiff(path, levels, { tags });
    await refused(t, path, 'STAINFOLD_OPENSLIDE_MISSING', reason);
    await refused(t, path, 'STAINFOLD_SLIDE_FORMAT', reason, { backend: 'tiff' });
  });
}

test('pictures that are no 8-bit RGB', async (t) => {
  const pixels = { create: { width: 40, height: 30, channels: 3, background: '#a0b' } };
  await sharp(pixels).toColourspace('rgb16').png().toFile(at('sixteen.png'));
  await refused(t, at('sixteen.png'), 'STAINFOLD_SLIDE_FORMAT', /16 bits|ushort/);
  await sharp(pixels).toColourspace('cmyk').jpeg().toFile(at('cmyk.jpg'));
  await refused(t, at('cmyk.jpg'), 'STAINFOLD_SLIDE_FORMAT', /CMYK/);
});

test('a picture, and one with alpha, over white', async (t) => {
  await sharp({
    create: { width: 40, height: 30, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0.5 } },
  })
    .png()
    .toFile(at('alpha.png'));
  const slide = await openSlide(at('alpha.png'));
  t.is(slide.backend, 'image');
  const { data } = await slide.readRegion({ x: 0, y: 0, width: 1, height: 1 });
  t.true(Math.abs(data[0] - 127) <= 1);
  await slide.dispose();
});

test('an RGBA slide, over white', async (t) => {
  const side = 64;
  const { deflateSync } = await import('node:zlib');
  const tile = Buffer.alloc(side * side * 4);
  for (let i = 0; i < side * side; i++) tile.set([200, 0, 0, i % 2 ? 255 : 0], 4 * i);
  const image = { width: 64, height: 64, tiles: [deflateSync(tile)] };
  const tags = [
    [277, SHORT, 4],
    [258, SHORT, [8, 8, 8, 8]],
    [338, SHORT, 2],
  ];
  writeTiff(at('rgba.tif'), [image], { tags });
  const slide = await openSlide(at('rgba.tif'));
  const { data } = await slide.readRegion({ x: 0, y: 0, width: 2, height: 1 });
  t.deepEqual([...data], [255, 255, 255, 200, 0, 0]);
  await slide.dispose();
});

test('a tile that is left out is white; one that is damaged rejects, and its neighbours read', async (t) => {
  const path = at('holes.tif');
  const [full] = levels;
  writeTiff(path, [full], { tile: 64 });
  const sparse = { width: 128, height: 64, tiles: [Buffer.alloc(0), Buffer.from('not deflate')] };
  writeTiff(path, [sparse], { tile: 64 });
  const slide = await openSlide(path);
  const { data } = await slide.readRegion({ x: 0, y: 0, width: 64, height: 64 });
  t.true(data.every((value) => value === 255));
  const damaged = () => slide.readRegion({ x: 60, y: 0, width: 8, height: 8 });
  const error = await t.throwsAsync(damaged(), { code: 'STAINFOLD_SLIDE_READ' });
  t.regex(error.message, /tile 1, 0 of the 128 x 64 image/);
  await t.throwsAsync(damaged(), { code: 'STAINFOLD_SLIDE_READ' });
  await slide.readRegion({ x: 0, y: 0, width: 64, height: 64 });
  await slide.dispose();
});

test('cut off anywhere: opening or reading rejects with a code, or reads right', async (t) => {
  const whole = at('whole.tif');
  const { bytes } = writeTiff(whole, levels, { tags: mppTags(0.5) });
  const intact = await openSlide(whole);
  const region = { x: 0, y: 0, width: 300, height: 200 };
  const expected = await intact.readRegion(region);
  await intact.dispose();
  let opened = 0;
  for (let i = 0; i < 60; i++) {
    const path = at(`cut${i}.tif`);
    copyFileSync(whole, path);
    truncateSync(path, Math.floor((bytes * i) / 60));
    try {
      const slide = await openSlide(path);
      opened++;
      try {
        t.deepEqual((await slide.readRegion(region)).data, expected.data);
      } finally {
        await slide.dispose();
      }
    } catch (error) {
      t.true(
        ['STAINFOLD_SLIDE_READ', 'STAINFOLD_SLIDE_FORMAT', 'STAINFOLD_OPENSLIDE_MISSING'].includes(
          error.code,
        ),
        `${i}: ${error.stack}`,
      );
    }
  }
  t.is(opened, 0, 'the last directory is at the end of the file');
});

test('any byte wrong: never another error than ours', async (t) => {
  const whole = at('flipped.tif');
  const { places } = writeTiff(whole, levels, { tags: mppTags(0.5) });
  const intact = readFileSync(whole);
  let state = 7;
  const random = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  let read = 0;
  for (let i = 0; i < 300; i++) {
    const bytes = Buffer.from(intact);
    // Header and directories, where every byte means something, and now and then the pixels.
    const place = i % 3 === 0 ? random(8) : i % 3 === 1 ? places[0] + random(170) : random(bytes.length);
    bytes[place] = random(256);
    writeFileSync(whole, bytes);
    try {
      const slide = await openSlide(whole);
      await slide.readRegion({ x: 0, y: 0, width: 64, height: 64 }).finally(() => slide.dispose());
      read++;
    } catch (error) {
      t.regex(
        error.code ?? '',
        /^STAINFOLD_(SLIDE_READ|SLIDE_FORMAT|OPENSLIDE_MISSING)$/,
        `${i}: ${error.stack}`,
      );
    }
  }
  t.true(read > 20 && read < 300, `${read} of 300 still read`);
});

test('dimensions that no memory holds', async (t) => {
  const LONG = 4;
  const huge = { width: 4_000_000_000, height: 4_000_000_000, tiles: [Buffer.from([1])] };
  writeTiff(at('huge.tif'), [huge], {
    tags: [
      [256, LONG, huge.width],
      [257, LONG, huge.height],
    ],
  });
  const slide = await openSlide(at('huge.tif'), { mpp: 0.25 });
  await t.throwsAsync(slide.readRegion({ x: 0, y: 0, width: 8, height: 8 }), {
    code: 'STAINFOLD_SLIDE_READ',
  });
  await slide.dispose();
});
