// What a region read gives is known pixel by pixel: at every level, between levels, and beyond the slide.
import { join } from 'node:path';
import test from 'ava';
import { openSlide } from '../../lib/index.js';
import { temporaryFolder } from '../temporary.js';
import { largestDifference, mppTags, picture, pyramidOf, regionOf, repeated, writeTiff } from './pyramids.js';

const folder = temporaryFolder('slides');
const MPP = 0.25;
const levels = pyramidOf(picture(341, 263), 4);
const path = join(folder, 'pyramid.tif');
writeTiff(path, levels, { tile: 64, tags: mppTags(MPP) });

const slide = await openSlide(path);
test.after.always(() => slide.dispose());

// The float32 sums of the core and the doubles of the reference may round a half either way.
const ROUNDING = 1;

test('what the file says', (t) => {
  t.is(slide.backend, 'tiff');
  t.is(slide.name, 'pyramid');
  t.is(slide.vendor, 'generic-tiff');
  t.deepEqual([slide.width, slide.height], [341, 263]);
  t.deepEqual(
    slide.levels.map(({ width, height, downsample }) => [width, height, downsample]),
    [
      [341, 263, 1],
      [170, 131, 2],
      [85, 65, 4],
      [42, 32, 8],
    ],
    'odd sizes are cut: 341 over 42 is 8.1, and the level still has every eighth pixel',
  );
  t.true(Math.abs(slide.mpp - MPP) < 1e-9);
  t.is(slide.mppSource, 'file');
  t.is(slide.objectivePower, null);
  t.deepEqual([...slide.associated], []);
  t.false(slide.hasIccProfile);
});

for (const [index, level] of levels.entries()) {
  test(`level ${index}: the stored pixels, exactly`, async (t) => {
    const { downsample } = slide.levels[index];
    const whole = await slide.readRegion({
      x: 0,
      y: 0,
      width: level.width,
      height: level.height,
      level: index,
    });
    t.deepEqual(Buffer.from(whole.data), Buffer.from(level.data));
    t.is(whole.channels, 3);
    const [x, y, width, height] = [13, 9, 21, 15];
    const part = await slide.readRegion({
      x: x * downsample,
      y: y * downsample,
      width,
      height,
      level: index,
    });
    t.is(largestDifference(part.data, regionOf(level, { x, y, scale: 1, width, height })), 0);
  });

  test(`level ${index} by its resolution is the level itself`, async (t) => {
    const { downsample } = slide.levels[index];
    const at = { x: 2 * downsample, y: 3 * downsample, width: 24, height: 17 };
    const byMpp = await slide.readRegion({ ...at, mpp: MPP * downsample });
    const byLevel = await slide.readRegion({ ...at, level: index });
    t.deepEqual(byMpp.data, byLevel.data);
  });
}

// [downsample wanted, level it must come from]
for (const [downsample, from] of [
  [1.37, 0],
  [1.99, 1],
  [2.6, 1],
  [3, 1],
  [5.5, 2],
  [11.3, 3],
  [0.7, 0],
]) {
  test(`downsample ${downsample}: from level ${from}, centre for centre`, async (t) => {
    const region = { x: 37.3, y: 21.9, width: 19, height: 14 };
    const { data } = await slide.readRegion({ ...region, mpp: MPP * downsample });
    const { downsample: of } = slide.levels[from];
    const expected = regionOf(levels[from], {
      ...region,
      x: region.x / of,
      y: region.y / of,
      scale: downsample / of,
    });
    t.true(largestDifference(data, expected) <= ROUNDING, `${largestDifference(data, expected)}`);
    // Half a pixel off is another picture: the comparison can fail.
    const shifted = regionOf(levels[from], {
      ...region,
      x: (region.x + downsample / 2) / of,
      y: region.y / of,
      scale: downsample / of,
    });
    t.true(largestDifference(data, shifted) > 4);
  });
}

test('a ramp stays a ramp: no resolution moves it', async (t) => {
  const ramp = { width: 512, height: 64, data: new Uint8Array(512 * 64 * 3) };
  for (let i = 0; i < ramp.data.length; i++) ramp.data[i] = (Math.floor(i / 3) % 512) >> 1;
  const file = join(folder, 'ramp.tif');
  writeTiff(file, pyramidOf(ramp, 3), { tags: mppTags(1) });
  const opened = await openSlide(file);
  for (const mpp of [1, 1.5, 2, 2.9, 4, 6.3]) {
    const { data, width } = await opened.readRegion({ x: 100, y: 8, width: 30, height: 2, mpp });
    for (let i = 0; i < width; i++) {
      const centre = 100 + (i + 0.5) * mpp;
      // The slide's value at x is (x - 0.5) / 2 less the quarter that >> 1 cuts off on average; each level rounds once.
      t.true(Math.abs(data[3 * i] - ((centre - 0.5) / 2 - 0.25)) <= 1.3, `${mpp} ${i}: ${data[3 * i]}`);
    }
  }
  await opened.dispose();
});

test('beyond the slide is white, and the edge is not mixed with it', async (t) => {
  const level = levels[0];
  for (const [x, y] of [
    [-10, -7],
    [330, 250],
    [-5, 255],
  ]) {
    const region = { x, y, width: 24, height: 20 };
    const { data } = await slide.readRegion(region);
    t.is(largestDifference(data, regionOf(level, { ...region, scale: 1 })), 0);
  }
  const { data } = await slide.readRegion({ x: -8.3, y: -6.2, width: 20, height: 20, mpp: MPP * 1.7 });
  const expected = regionOf(level, { x: -8.3, y: -6.2, scale: 1.7, width: 20, height: 20 });
  t.true(largestDifference(data, expected) <= ROUNDING);
  for (const [x, y] of [
    [-1000, 0],
    [0, 1e9],
    [1e15, -1e15],
  ]) {
    const beside = await slide.readRegion({ x, y, width: 5, height: 4, mpp: 1 });
    t.true(
      beside.data.every((value) => value === 255),
      'all white',
    );
  }
});

test('a thumbnail is the whole slide', async (t) => {
  const { data, width, height } = await slide.thumbnail(100);
  t.deepEqual([width, height], [100, 77]);
  const scale = 3.41 / 2;
  const expected = regionOf(levels[1], { x: 0, y: 0, scale, width, height });
  t.true(largestDifference(data, expected) <= ROUNDING);
  const whole = await slide.thumbnail(5000);
  t.deepEqual([whole.width, whole.height], [341, 263], 'no larger than the slide');
});

test('a large region is made of blocks that do not show', async (t) => {
  // One level, 50 of its pixels to one: 2^24 level pixels, the most that are held, are 81 x 81 of the result.
  const file = join(folder, 'wide.tif');
  writeTiff(file, [repeated(picture(256, 256), 36, 18)], { tags: mppTags(0.02) });
  const opened = await openSlide(file, { mpp: 0.1 });
  t.is(opened.mpp, 0.1);
  t.is(opened.mppSource, 'option');
  const { data } = await opened.readRegion({ x: 0, y: 0, width: 180, height: 90, mpp: 5 });
  const across = await opened.readRegion({ x: 70 * 50, y: 70 * 50, width: 24, height: 20, mpp: 5 });
  for (let row = 0; row < 20; row++) {
    const line = data.subarray(((70 + row) * 180 + 70) * 3, ((70 + row) * 180 + 94) * 3);
    t.deepEqual(line, across.data.subarray(row * 72, row * 72 + 72));
  }
  await opened.dispose();
});

test('many reads at a time, and dispose() in the midst of them', async (t) => {
  const own = await openSlide(path, { cacheBytes: 64 * 64 * 3 * 4 });
  const reads = Array.from({ length: 64 }, (_, i) =>
    own.readRegion({ x: (i % 8) * 40, y: Math.floor(i / 8) * 30, width: 50, height: 40, mpp: 0.3 }),
  );
  const disposal = own.dispose();
  const results = await Promise.all(reads);
  await disposal;
  const alone = await slide.readRegion({ x: 40, y: 30, width: 50, height: 40, mpp: 0.3 });
  t.deepEqual(results[9].data, alone.data);
  await t.throwsAsync(own.readRegion({ x: 0, y: 0, width: 1, height: 1 }), { code: 'STAINFOLD_DISPOSED' });
  await t.throwsAsync(own.thumbnail(10), { code: 'STAINFOLD_DISPOSED' });
});

test('what a region cannot be', async (t) => {
  const region = { x: 0, y: 0, width: 4, height: 4 };
  const refused = async (change, code = 'STAINFOLD_OPTION') =>
    t.throwsAsync(slide.readRegion({ ...region, ...change }), { code });
  await refused({ width: 0 });
  await refused({ height: 40_000 });
  await refused({ x: Number.NaN });
  await refused({ mpp: 0 });
  await refused({ level: 4 });
  await refused({ level: 0, mpp: 1 });
  await refused({ size: 1 }, 'STAINFOLD_OPTION_UNKNOWN');
  await t.throwsAsync(slide.thumbnail(0), { code: 'STAINFOLD_OPTION' });
  const signal = AbortSignal.abort(new Error('enough'));
  await t.throwsAsync(slide.readRegion(region, { signal }), { message: 'enough' });
});
