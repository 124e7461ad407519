// Slides as pictures: every colour lies on its tile, the same slide gives the same pictures, and an empty slide is told.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { embedSlides, generatePhantom, listTiles, loadEncoder, writeSlideReport } from '../../lib/index.js';
import { cividis, rangeOf, threeColours, within } from '../../lib/report/colour-scale.js';
import { layGrid, tileAt } from '../../lib/report/slide-grid.js';
import { tilesPicture, valuePicture } from '../../lib/report/slide-pictures.js';
import { sharedFolder } from '../data/tiles.js';

const CPU = { device: 'cpu', threads: 1 };
const folder = sharedFolder(test);

/** A grid as tilings lay it: corners rounded to level-0 pixels. */
function laid({ width, height, sizeLevel0, stepLevel0 }) {
  const coords = [];
  for (let y = 0; y * stepLevel0 + sizeLevel0 <= height; y++)
    for (let x = 0; x * stepLevel0 + sizeLevel0 <= width; x++)
      coords.push(Math.round(x * stepLevel0), Math.round(y * stepLevel0));
  const source = { width, height, coords: Int32Array.from(coords), sizeLevel0, stepLevel0 };
  return { source, grid: layGrid(source) };
}

for (const [name, shape] of Object.entries({
  'side by side': { width: 5000, height: 3111, sizeLevel0: 128, stepLevel0: 128 },
  'of a fractional side': { width: 100_003, height: 40_000, sizeLevel0: 551.0752, stepLevel0: 551.0752 },
  overlapping: { width: 9000, height: 12_000, sizeLevel0: 300.7, stepLevel0: 200.4667 },
  'more than the picture has pixels': { width: 200_000, height: 150_000, sizeLevel0: 130, stepLevel0: 130 },
})) {
  test(`tiles ${name}: the middle of each lies in its cell`, (t) => {
    const { source, grid } = laid(shape);
    const count = source.coords.length / 2;
    t.true(Number.isInteger(grid.step) && grid.step >= 1);
    for (let tile = 0; tile < count; tile += Math.max(1, Math.floor(count / 97))) {
      const middle = (corner) =>
        Math.floor((source.coords[2 * tile + corner] + source.sizeLevel0 / 2) * grid.scale);
      t.is(tileAt(grid, middle(0), middle(1)), tile);
    }
    t.is(tileAt(grid, -grid.step - 1, 0), -1);
    t.true(grid.columns * grid.step >= grid.width && grid.rows * grid.step >= grid.height);
  });
}

test('a heatmap colours the pixels of its tile and no others', async (t) => {
  const { grid } = laid({ width: 6400, height: 3200, sizeLevel0: 320, stepLevel0: 320 });
  const slide = new Uint8Array(grid.width * grid.height * 3).fill(200);
  const range = { low: 0, high: 2 };
  const value = (tile) => (tile === 27 ? 2 : tile === 28 ? 0 : Number.NaN);
  const png = await valuePicture(grid, slide, value, range, 'unit', (v) => within(range, v));
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  const at = (x, y) => Array.from(data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3));
  // 20 tiles a row: 27 is the eighth of the second.
  for (const [dx, dy] of [
    [0, 0],
    [grid.step - 1, grid.step - 1],
  ])
    t.deepEqual(at(7 * grid.step + dx, grid.step + dy), [...cividis(1)]);
  t.deepEqual(at(8 * grid.step, grid.step), [...cividis(0)]);
  const [red, green, blue] = at(7 * grid.step - 1, grid.step);
  t.true(red === green && green === blue, 'the slide behind is grey');
  t.true(info.height > grid.height, 'there is a legend');
});

test('the contour runs along the mask', async (t) => {
  const { grid, source } = laid({ width: 6400, height: 3200, sizeLevel0: 320, stepLevel0: 320 });
  const mask = { width: 100, height: 50, scale: 64, share: 0.25, data: new Uint8Array(5000) };
  for (let y = 0; y < 25; y++) mask.data.fill(1, y * 100, y * 100 + 50);
  const slide = new Uint8Array(grid.width * grid.height * 3).fill(255);
  const none = { ...grid, cells: new Int32Array(0) };
  const png = await tilesPicture(none, slide, mask, []);
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  const red = (x, y) => data[(y * info.width + x) * 3];
  const edge = Math.round(3200 * grid.scale);
  const darkest = (y) => Math.min(...[-2, -1, 0, 1].map((d) => red(edge + d, y)));
  t.true(darkest(40) < 60);
  t.is(red(edge - 40, 40), 255);
  t.is(red(edge + 40, 40), 255);
  t.is(darkest(grid.height - 40), 255, 'below the mask there is none');
  t.is(source.coords.length > 0, true);
});

test('scales: cividis brightens throughout; stray values are cut off; a constant is in the middle', (t) => {
  const light = Array.from({ length: 101 }, (_, i) => cividis(i / 100)).map(
    ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b,
  );
  t.true(light.every((value, i) => i === 0 || value >= light[i - 1] - 0.5));
  const values = Float64Array.from({ length: 1000 }, (_, i) => (i === 500 ? 1e9 : i / 1000));
  t.true(rangeOf(values).high < 1);
  t.is(within({ low: 3, high: 3 }, 3), 0.5);
  t.deepEqual(rangeOf(new Float64Array(0)), { low: 0, high: 1 });
  const colours = threeColours(Float64Array.from([0, 5, 1, 5, 2, 5]), 2);
  t.deepEqual(
    colours.map(([r]) => r),
    [0, 128, 255],
  );
  t.deepEqual(new Set(colours.map(([, g, b]) => `${g} ${b}`)).size, 1);
});

test('a report: the same twice, from stored features as from fresh ones; an empty slide is told', async (t) => {
  const { manifest } = await generatePhantom({
    out: join(folder, 't'),
    tiles: 4,
    labs: 1,
    tileSize: 512,
    mpp: 0.5,
    seed: 2,
    ...CPU,
  });
  const { tiles } = await listTiles({ tiles: manifest });
  const slide = join(folder, 'tissue.png');
  await sharp({ create: { width: 1400, height: 800, channels: 3, background: '#f2f1f2' } })
    .composite([
      { input: tiles[0].path, left: 100, top: 100 },
      { input: tiles[1].path, left: 700, top: 150 },
    ])
    .png()
    .toFile(slide);
  const glass = join(folder, 'glass.png');
  await sharp({ create: { width: 900, height: 800, channels: 3, background: '#f2f1f2' } })
    .png()
    .toFile(glass);
  const encoder = await loadEncoder('phantom-tiny', CPU);
  t.teardown(() => encoder.dispose());
  const options = { slides: [slide, glass], slide: { mpp: 0.5 }, quality: false };
  const seen = [];
  const page = join(folder, 'report.html');
  const first = await writeSlideReport(page, encoder, {
    ...options,
    pictures: join(folder, 'first'),
    probe: { weights: Array.from({ length: 128 }, (_, i) => Math.sin(i)) },
    onProgress: ({ name, done, total }) => seen.push([name, done, total]),
  });
  const [tissue, empty] = first.slides;
  t.is(tissue.error, undefined);
  t.true(tissue.tiles >= 50, `${tissue.tiles} tiles`);
  t.deepEqual(Object.keys(tissue.pictures), ['tiles', 'components', 'ood', 'similarity', 'probe', 'montage']);
  t.is(empty.error.code, 'STAINFOLD_SLIDE_EMPTY');
  t.deepEqual([empty.tiles, empty.flagged], [0, null]);
  t.deepEqual(seen.at(-1), ['tissue.png', seen.length, seen.length]);

  const made = await embedSlides(encoder, {
    slides: [slide],
    images: true,
    out: join(folder, 'features'),
    slide: { mpp: 0.5 },
    quality: false,
  });
  const second = await writeSlideReport(join(folder, 'second.html'), encoder, {
    ...options,
    slides: [slide],
    features: [made.slides[0].files[0]],
    pictures: join(folder, 'second'),
  });
  for (const name of ['tiles', 'components', 'ood', 'similarity', 'montage'])
    t.deepEqual(await readFile(second.slides[0].pictures[name]), await readFile(tissue.pictures[name]), name);

  const text = await readFile(page, 'utf8');
  t.regex(text, /STAINFOLD_SLIDE_EMPTY/);
  t.notRegex(text, /(?:src|href)="(?!data:)/, 'nothing is loaded');
  t.is(text.match(/data:image\/jpeg/g).length, 7, 'six pictures of the one, an overview of the other');

  const wrong = { ...options, slides: [slide], probe: { weights: [1, 2] } };
  await t.throwsAsync(writeSlideReport(page, encoder, wrong), { code: 'STAINFOLD_SHAPE' });
  const beside = await writeSlideReport(page, encoder, { ...options, slides: [slide], like: { x: 0, y: 0 } });
  t.is(beside.slides[0].error.code, 'STAINFOLD_OPTION');
  await t.throwsAsync(writeSlideReport(page, encoder, { ...options, nope: 1 }), {
    code: 'STAINFOLD_OPTION_UNKNOWN',
  });
});
