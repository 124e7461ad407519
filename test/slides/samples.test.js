// Real slides, where there are any: a folder named by STAINFOLD_SAMPLES, or shared/data/wsi beside the checkout.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import sharp from 'sharp';
import { openSlide } from '../../lib/index.js';
import { temporaryFolder } from '../temporary.js';
import { largestDifference } from './pyramids.js';

const folder =
  process.env.STAINFOLD_SAMPLES ?? fileURLToPath(new URL('../../../shared/data/wsi', import.meta.url));
const names = existsSync(folder)
  ? readdirSync(folder).filter((name) => /^\.(svs|tif|ndpi|dcm)$/.test(extname(name)))
  : [];
if (names.length === 0) console.log(`skipped: no slides in ${folder}`);
const OURS = /^STAINFOLD_(SLIDE_READ|SLIDE_FORMAT|OPENSLIDE_MISSING)$/;

// ava fails a file without tests.
if (names.length === 0) test.skip('real slides', () => undefined);

for (const name of names) {
  const path = join(folder, name);
  if (name.endsWith('.dcm')) {
    test(`${name}: DICOM opens, or the error says which OpenSlide it needs`, async (t) => {
      try {
        const slide = await openSlide(path);
        t.true((await slide.thumbnail(64)).data.length > 0);
        await slide.dispose();
      } catch (error) {
        t.regex(error.code, /^STAINFOLD_(SLIDE_FORMAT|OPENSLIDE_MISSING)$/);
        t.regex(error.message, /needs OpenSlide|from version 4\.0 on/);
      }
    });
    continue;
  }

  test(`${name}: every level as libtiff decodes it, and OpenSlide where it is`, async (t) => {
    const slide = await openSlide(path);
    t.is(slide.backend, 'tiff');
    const other = await openSlide(path, { backend: 'openslide' }).catch((error) => {
      t.is(error.code, 'STAINFOLD_OPENSLIDE_MISSING');
      console.log(`skipped: ${name} by OpenSlide, ${error.message}`);
    });
    for (const [level, { width, height, downsample }] of slide.levels.entries()) {
      const size = { width: Math.min(200, width - 10), height: Math.min(150, height - 10) };
      const at = { left: Math.floor((width - size.width) / 2), top: Math.floor((height - size.height) / 2) };
      const region = { x: at.left * downsample, y: at.top * downsample, ...size, level };
      const { data } = await slide.readRegion(region);
      const expected = await sharp(path, { page: level })
        .extract({ ...at, ...size })
        .raw()
        .toBuffer();
      t.is(largestDifference(data, expected), 0, `level ${level}`);
      // Where OpenSlide's quotient of sizes is no whole number it blends neighbours: see docs/slides.md.
      const whole = slide.width % width === 0 && slide.height % height === 0;
      if (other && whole)
        t.is(largestDifference((await other.readRegion(region)).data, data), 0, `level ${level}`);
    }
    await slide.dispose();
    await other?.dispose();
  });

  test(`${name}: cut off anywhere, it is an error of ours or the pixels`, async (t) => {
    const bytes = readFileSync(path);
    const copy = join(temporaryFolder('samples'), name);
    let state = 11;
    let refused = 0;
    for (let i = 0; i < 12; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      writeFileSync(copy, bytes.subarray(0, Math.floor((state / 2 ** 32) * bytes.length)));
      for (const backend of ['auto', 'openslide', 'image']) {
        try {
          const slide = await openSlide(copy, { backend });
          await slide.readRegion({ x: 0, y: 0, width: 64, height: 64 }).finally(() => slide.dispose());
        } catch (error) {
          t.regex(error.code ?? '', OURS, `${backend}: ${error.stack}`);
          refused++;
        }
      }
    }
    t.true(refused > 0, 'of all these cuts none was noticed');
  });
}
