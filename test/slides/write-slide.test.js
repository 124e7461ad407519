// A slide is written as it is made, beside its place: memory does not grow with the file.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { temporaryFolder } from '../data/tiles.js';

const SIDE = 4096;
const INDEX = new URL('../../lib/index.js', import.meta.url).href;

test('memory is less than the file', async (t) => {
  const folder = await temporaryFolder(t);
  // Noise, which no compression shrinks.
  await sharp(randomBytes(SIDE * SIDE * 3), { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .png({ compressionLevel: 1 })
    .toFile(join(folder, 'picture.png'));
  const program = `
    const { writeSlide } = await import('${INDEX}');
    const peak = () => process.resourceUsage().maxRSS * 1024;
    const before = peak();
    await writeSlide('slide.tif', 'picture.png', { mpp: 0.5, compression: 'deflate' });
    console.log(peak() - before);`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: folder,
    encoding: 'utf8',
  });
  t.is(status, 0, stderr);
  const file = statSync(join(folder, 'slide.tif')).size;
  t.true(file > SIDE * SIDE * 3);
  // Measured: 0.7 of the file, for libvips' rows and the coarser levels; 1.7 where the file is held as well.
  const grown = Number(stdout) / file;
  t.true(grown < 1.2, `${grown.toFixed(2)} times the file`);
  t.deepEqual(readdirSync(folder).sort(), ['picture.png', 'slide.tif']);
});
