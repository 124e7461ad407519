// Every kind of tiled TIFF that our reader claims, against what was stored or what libtiff makes of it.
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { openSlide, writeSlide } from '../../lib/index.js';
import { temporaryFolder } from '../temporary.js';
import { largestDifference, mppTags, picture, pyramidOf, writeTiff } from './pyramids.js';

const folder = temporaryFolder('formats');
const ASCII = 2;
const SHORT = 3;
const full = picture(300, 200);
const levels = pyramidOf(full, 3);
const image = (level) =>
  sharp(level.data, { raw: { width: level.width, height: level.height, channels: 3 } });
const whole = async (slide, level = 0) => {
  const { width, height } = slide.levels[level];
  return (await slide.readRegion({ x: 0, y: 0, width, height, level })).data;
};

// What libvips writes, losslessly: exact.
for (const compression of ['none', 'deflate', 'lzw', 'packbits']) {
  for (const bigtiff of [false, true]) {
    for (const predictor of ['none', 'horizontal']) {
      if (predictor === 'horizontal' && !['deflate', 'lzw'].includes(compression)) continue;
      test(`${compression}, predictor ${predictor}${bigtiff ? ', BigTIFF' : ''}: exact`, async (t) => {
        const path = join(folder, `${compression}-${predictor}-${bigtiff}.tif`);
        const options = {
          tile: true,
          tileWidth: 64,
          tileHeight: 48,
          pyramid: true,
          compression,
          predictor,
          bigtiff,
        };
        await image(full)
          .tiff({ ...options, xres: 4000, yres: 4000 })
          .toFile(path);
        const slide = await openSlide(path, { backend: 'tiff' });
        t.true(slide.levels.length > 1);
        t.true(Math.abs(slide.mpp - 0.25) < 1e-6);
        t.is(largestDifference(await whole(slide), full.data), 0);
        const page = await sharp(path, { page: 1 }).raw().toBuffer();
        t.is(largestDifference(await whole(slide, 1), page), 0);
        await slide.dispose();
      });
    }
  }
}

test('JPEG whose tables are shared by its tiles: as libtiff decodes it', async (t) => {
  const path = join(folder, 'jpeg.tif');
  await image(full)
    .tiff({ tile: true, tileWidth: 64, tileHeight: 64, compression: 'jpeg', quality: 80 })
    .toFile(path);
  const slide = await openSlide(path);
  t.is(slide.backend, 'tiff');
  const data = await whole(slide);
  t.is(largestDifference(data, await sharp(path).raw().toBuffer()), 0);
  t.true(largestDifference(data, full.data) > 0, 'it is lossy, so the two decoders were compared');
  await slide.dispose();
});

const jpegTiles = async (level, side, options) => {
  const tiles = [];
  for (let top = 0; top < level.height; top += side) {
    for (let left = 0; left < level.width; left += side) {
      const size = { width: Math.min(side, level.width - left), height: Math.min(side, level.height - top) };
      const [right, bottom] = [side - size.width, side - size.height];
      const tile = image(level).extract({ left, top, ...size });
      const raw = await tile.extend({ right, bottom, extendWith: 'copy' }).raw().toBuffer();
      tiles.push(
        await sharp(raw, { raw: { width: side, height: side, channels: 3 } })
          .jpeg(options)
          .toBuffer(),
      );
    }
  }
  return { ...level, tiles };
};

test('SVS: description, label and macro, JPEG that says YCbCr', async (t) => {
  const JPEG = [
    [259, SHORT, 7],
    [262, SHORT, 6],
  ];
  const description = [
    270,
    ASCII,
    'Aperio Image Library v11\r\n300x200 (64x64) JPEG Q=90|AppMag = 40|MPP = 0.2520|Filename = x',
  ];
  const label = {
    ...picture(50, 60),
    tags: [
      [254, 4, 1],
      [270, ASCII, 'Aperio Image Library v11\nlabel 50x60'],
    ],
  };
  const macro = {
    ...picture(90, 40),
    tags: [
      [254, 4, 9],
      [270, ASCII, 'Aperio Image Library v11\nmacro 90x40'],
    ],
  };
  const path = join(folder, 'slide.svs');
  const [first, second] = await Promise.all(
    levels.slice(0, 2).map((level) => jpegTiles(level, 64, { quality: 95 })),
  );
  writeTiff(path, [{ ...first, tags: [...JPEG, description] }, { ...second, tags: JPEG }, label, macro], {
    tile: 64,
  });
  const slide = await openSlide(path);
  t.deepEqual([slide.vendor, slide.mpp, slide.objectivePower], ['aperio', 0.252, 40]);
  t.deepEqual([...slide.associated], ['label', 'macro']);
  t.deepEqual(
    slide.levels.map(({ width }) => width),
    [300, 150],
  );
  t.is(largestDifference(await whole(slide), await sharp(path, { page: 0 }).raw().toBuffer()), 0);
  await slide.dispose();
});

test('OME-TIFF: levels below the first directory, sizes in other units', async (t) => {
  const xml = (size, unit) =>
    `<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Instrument><Objective ID="O:0" NominalMagnification="20"/></Instrument><Image ID="Image:0" Name="a"><Pixels SizeC="3" PhysicalSizeX="${size}" PhysicalSizeY="${size}" ${unit ? `PhysicalSizeXUnit="${unit}" PhysicalSizeYUnit="${unit}"` : ''} SizeX="300"/></Image></OME>`;
  for (const [size, unit] of [
    [0.5, ''],
    [500, 'nm'],
    [0.0005, 'mm'],
  ]) {
    const path = join(folder, `a${unit}.ome.tif`);
    writeTiff(path, levels, { tags: [[270, ASCII, xml(size, unit)]], subIfds: true });
    const slide = await openSlide(path);
    t.deepEqual([slide.vendor, slide.objectivePower], ['ome', 20]);
    t.true(Math.abs(slide.mpp - 0.5) < 1e-9);
    t.is(slide.levels.length, 3);
    for (const [index, level] of levels.entries())
      t.is(largestDifference(await whole(slide, index), level.data), 0);
    await slide.dispose();
  }
});

test('big-endian, and grey', async (t) => {
  writeTiff(join(folder, 'big-endian.tif'), levels, { bigEndian: true, tags: mppTags(0.5) });
  const slide = await openSlide(join(folder, 'big-endian.tif'));
  t.true(Math.abs(slide.mpp - 0.5) < 1e-6);
  t.is(largestDifference(await whole(slide, 2), levels[2].data), 0);
  await slide.dispose();
  const path = join(folder, 'grey.tif');
  await image(full)
    .greyscale()
    .tiff({ tile: true, tileWidth: 64, tileHeight: 64, compression: 'lzw' })
    .toFile(path);
  const grey = await openSlide(path);
  t.is(grey.backend, 'tiff');
  const expected = await sharp(path).toColourspace('srgb').raw().toBuffer();
  t.is(largestDifference(await whole(grey), expected), 0);
  await grey.dispose();
});

test('an ICC profile is applied where asked for', async (t) => {
  const path = join(folder, 'p3.tif');
  await image(full)
    .withIccProfile('p3')
    .tiff({ tile: true, tileWidth: 64, tileHeight: 64, compression: 'deflate' })
    .toFile(path);
  const stored = await openSlide(path);
  t.true(stored.hasIccProfile);
  const converted = await openSlide(path, { icc: true });
  const raw = await whole(stored);
  const srgb = await whole(converted);
  t.is(largestDifference(raw, await sharp(path, { ignoreIcc: true }).raw().toBuffer()), 0);
  t.is(largestDifference(srgb, await sharp(path).toColourspace('srgb').raw().toBuffer()), 0);
  t.true(largestDifference(raw, srgb) > 10);
  await stored.dispose();
  await converted.dispose();
});

test('a slide that is written is read: every pixel, every level, its resolution', async (t) => {
  const path = join(folder, 'written.tif');
  await writeSlide(path, { ...full, channels: 3 }, { mpp: 0.25, tileSize: 64, compression: 'deflate' });
  const slide = await openSlide(path, { backend: 'tiff' });
  t.true(Math.abs(slide.mpp - 0.25) < 1e-6);
  t.deepEqual(
    slide.levels.map(({ width, height, downsample }) => [width, height, downsample]),
    [
      [300, 200, 1],
      [150, 100, 2],
      [75, 50, 4],
      [37, 25, 8],
    ],
  );
  t.is(largestDifference(await whole(slide), full.data), 0);
  // libvips truncates the means of four that the reference rounds, and the next level's are made of those.
  t.true(largestDifference(await whole(slide, 1), levels[1].data) <= 1);
  await slide.dispose();

  await writeSlide(path, { ...full, channels: 3 }, { mpp: 0.5 });
  const lossy = await openSlide(path);
  t.true(Math.abs(lossy.mpp - 0.5) < 1e-6);
  await lossy.dispose();
  await t.throwsAsync(writeSlide(path, { ...full, channels: 3 }, {}), { code: 'STAINFOLD_OPTION' });
  await t.throwsAsync(writeSlide(path, join(folder, 'none.png'), { mpp: 1 }), {
    code: 'STAINFOLD_TILE_UNREADABLE',
  });
  await t.throwsAsync(writeSlide(join(folder, 'no', 'a.tif'), { ...full, channels: 3 }, { mpp: 1 }), {
    code: 'STAINFOLD_FILE_WRITE',
  });
});

test('resolutions that are no microscope’s are not believed', async (t) => {
  for (const [tags, expected] of [
    [
      [
        [282, 5, 72],
        [283, 5, 72],
        [296, SHORT, 2],
      ],
      null,
    ],
    [
      [
        [282, 5, 40_000],
        [283, 5, 40_000],
        [296, SHORT, 1],
      ],
      null,
    ],
    [
      [
        [282, 5, 50_800],
        [283, 5, 50_800],
        [296, SHORT, 2],
      ],
      0.5,
    ],
  ]) {
    writeTiff(join(folder, 'dpi.tif'), [full], { tags });
    const slide = await openSlide(join(folder, 'dpi.tif'));
    t.is(slide.mpp, expected);
    await slide.dispose();
  }
});
