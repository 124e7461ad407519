// Harmonised slides: every pixel of every level is where it belongs, one fit holds for the whole, and a file is whole or absent.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { replaceFile } from '../../lib/files/atomic.js';
import {
  generatePhantom,
  listTiles,
  normalizeSlide,
  openSlide,
  readTile,
  StainNormalizer,
  sampleTissue,
} from '../../lib/index.js';
import { loadNative } from '../../lib/internal/load.js';
import { countBlocks, pyramidLevels, writePyramid } from '../../lib/slides/pyramid.js';
import { PyramidWriter } from '../../lib/slides/tiff-writer.js';
import { temporaryFolder } from '../data/tiles.js';
import { halve, picture } from './pyramids.js';

const native = (await loadNative()).slide;
const CPU = { device: 'cpu', threads: 1 };

async function opened(t, path, options) {
  const slide = await openSlide(path, options);
  t.teardown(() => slide.dispose());
  return slide;
}

/** A known picture written by the pyramid writer, unchanged. */
async function write(path, full, format) {
  const levels = pyramidLevels(full.width, full.height, format.tileSize);
  const pixels = { pixels: full.data, x: 0, y: 0, width: full.width, height: full.height };
  let blocks = 0;
  await replaceFile(path, (file) =>
    writePyramid({
      native,
      levels,
      format,
      quality: 90,
      writer: new PyramidWriter(file, levels, format),
      read: (x, y, side) =>
        native.renderRegion([pixels], full.width, full.height, { x, y, scale: 1, width: side, height: side }),
      onBlock: () => blocks++,
    }),
  );
  return { levels, blocks };
}

for (const subDirectories of [false, true]) {
  test(`levels ${subDirectories ? 'below the first' : 'in a chain'} hold the means of the finest one's pixels`, async (t) => {
    const path = join(await temporaryFolder(t), subDirectories ? 'slide.ome.tiff' : 'slide.tiff');
    // Wider than a block of blocks of 4 tiles of 16 px, and of odd size.
    const full = picture(1090, 333);
    const description = subDirectories
      ? '<OME><Pixels PhysicalSizeX="0.25" PhysicalSizeY="0.25" SizeC="3"/></OME>'
      : 'made';
    const format = { tileSize: 16, compression: 'deflate', mpp: 0.25, description, subDirectories };
    const { levels, blocks } = await write(path, full, format);
    t.is(blocks, countBlocks(full, 16));
    t.deepEqual(levels.at(-1), { width: 8, height: 2 });
    const slide = await opened(t, path, { backend: 'tiff' });
    t.true(Math.abs(slide.mpp - 0.25) < 1e-9);
    t.deepEqual(
      slide.levels.map(({ width, height }) => ({ width, height })),
      levels,
    );
    let expected = full;
    for (const [level, { width, height }] of levels.entries()) {
      const { data } = await slide.readRegion({ x: 0, y: 0, width, height, level });
      t.deepEqual(Buffer.from(data), Buffer.from(expected.data), `level ${level}`);
      expected = halve(expected);
    }
  });
}

test('a slide comes out as its normaliser makes it, whatever the blocks; jpeg is near', async (t) => {
  const folder = await temporaryFolder(t);
  const phantom = { tiles: 1, labs: 2, tileSize: 1024, seed: 3, ...CPU };
  const { manifest } = await generatePhantom({ out: join(folder, 'tiles'), ...phantom });
  const { tiles } = await listTiles({ tiles: manifest });
  // Broader than one block of 1,024 px.
  const slide = join(folder, 'slide.png');
  await sharp(tiles[1].path).extend({ right: 300, background: '#fff' }).png().toFile(slide);
  const normalizer = await StainNormalizer.published({ method: 'vahadane', ...CPU });
  const done = [];
  const options = { slide, open: { mpp: 0.5 }, onProgress: (...count) => done.push(count) };
  const out = join(folder, 'slide.ome.tiff');
  const made = await normalizeSlide(normalizer, { ...options, out, compression: 'deflate' });
  t.deepEqual(done, [
    [1, 2],
    [2, 2],
  ]);
  t.is(made.method, 'vahadane');
  const source = await opened(t, slide, { mpp: 0.5 });
  const bound = await normalizer.bind(await sampleTissue(source));
  const whole = { x: 0, y: 0, width: 1324, height: 1024, level: 0 };
  const before = await source.readRegion(whole);
  const expected = await bound.normalize(before);
  const after = await opened(t, out);
  t.is(after.mpp, 0.5);
  const { data } = await after.readRegion(whole);
  t.deepEqual(Buffer.from(data), Buffer.from(expected));
  t.notDeepEqual(Buffer.from(data), Buffer.from(before.data));
  const jpeg = join(folder, 'slide.tiff');
  await normalizeSlide(normalizer, { ...options, out: jpeg });
  const lossy = await opened(t, jpeg);
  const { data: near } = await lossy.readRegion(whole);
  const apart = near.reduce((sum, grey, i) => sum + Math.abs(grey - expected[i]), 0) / near.length;
  t.true(apart < 4, `${apart} grey levels apart`);
});

test('without tissue, or interrupted, there is no file', async (t) => {
  const folder = await temporaryFolder(t);
  const slide = join(folder, 'glass.png');
  await sharp({ create: { width: 600, height: 500, channels: 3, background: '#f0f0f0' } })
    .png()
    .toFile(slide);
  const normalizer = await StainNormalizer.published(CPU);
  const out = join(folder, 'out.tiff');
  await writeFile(out, 'before');
  await t.throwsAsync(normalizeSlide(normalizer, { slide, out }), { code: 'STAINFOLD_STAIN' });
  const { manifest } = await generatePhantom({
    out: join(folder, 't'),
    tiles: 1,
    labs: 1,
    tileSize: 512,
    ...CPU,
  });
  const [tile] = (await listTiles({ tiles: manifest })).tiles;
  const stop = new AbortController();
  const onProgress = () => stop.abort(new Error('enough'));
  const big = join(folder, 'big.png');
  const { data } = await readTile(tile.path, 512);
  await sharp(data, { raw: { width: 512, height: 512, channels: 3 } })
    .resize(4096, 2048, { fit: 'fill' })
    .png()
    .toFile(big);
  await t.throwsAsync(normalizeSlide(normalizer, { slide: big, out, signal: stop.signal, onProgress }), {
    message: 'enough',
  });
  t.is(await readFile(out, 'utf8'), 'before');
  t.deepEqual(
    (await readdir(folder)).filter((name) => name.includes('.tmp')),
    [],
  );
  await t.throwsAsync(normalizeSlide(normalizer, { slide, out: join(folder, 'out.png') }), {
    code: 'STAINFOLD_OPTION',
  });
  await t.throwsAsync(normalizeSlide(normalizer, { slide: out, out }), { code: 'STAINFOLD_OPTION' });
});
