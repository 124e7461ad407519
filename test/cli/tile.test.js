// `stainfold tile` as a user types it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { writeTissueSlide } from '../slides/tissue-slide.js';
import { temporaryFolder } from '../temporary.js';
import { cli } from './cli.js';

const folder = temporaryFolder('cli-tile');
const run = (...args) => cli(['tile', ...args], { cwd: folder });
await writeTissueSlide(join(folder, 'slide.tif'), ['     ', ' ttb ', ' tgt ', '     ']);

test('a table, and a GeoJSON and CSV with the same tiles', async (t) => {
  const done = await run('slide.tif', '--tile-size', '256', '-o', 'tiles.geojson');
  t.is(done.code, 0, done.stderr);
  t.regex(done.stdout, /^✔ 6 tiles in /);
  t.regex(done.stdout, /^slide +1280 x 1024 pixels of 0\.5 µm \(the file\), 4 levels, generic-tiff$/m);
  t.regex(done.stdout, /^read by +tiff$/m);
  t.regex(done.stdout, /^ok +4 +66\.7 %$/m);
  t.regex(done.stdout, /^blur +1 +16\.7 % {2}out of focus$/m);
  t.regex(done.stdout, /^pen +1 +16\.7 % {2}ink$/m);
  const { type, features } = JSON.parse(readFileSync(join(folder, 'tiles.geojson'), 'utf8'));
  t.is(type, 'FeatureCollection');
  t.is(features.length, 6);
  const [, , third] = features;
  t.deepEqual(third.geometry, {
    type: 'Polygon',
    coordinates: [
      [
        [768, 256],
        [1024, 256],
        [1024, 512],
        [768, 512],
        [768, 256],
      ],
    ],
  });
  t.is(third.properties.objectType, 'tile');
  t.is(third.properties.classification.name, 'blur');
  t.is(third.properties.classification.color.length, 3);

  const csv = await run('slide.tif', '--tile-size', '256', '-o', 'tiles.csv', '--regions', 'tiles.geojson');
  t.is(csv.code, 0, csv.stderr);
  const lines = readFileSync(join(folder, 'tiles.csv'), 'utf8').trim().split('\n');
  t.is(lines[0], 'x,y,size,status,tissue');
  t.is(lines.length, 7, 'what was written is read as regions');
  t.is(lines[3], '768,256,256,blur,1.0000');
});

test('JSON, options and what is refused', async (t) => {
  const done = await run(
    'slide.tif',
    '--json',
    '--no-quality',
    '--mpp',
    '0.25',
    '--tile-size',
    '64',
    '--limit',
    '3',
  );
  t.is(done.code, 0, done.stderr);
  const { slide, count, coords, status, counts, mask, sizeLevel0 } = JSON.parse(done.stdout);
  t.is(slide.mpp, 0.25);
  t.is(slide.mppSource, 'option');
  t.is(sizeLevel0, 128);
  t.deepEqual([count, coords.length, status.length, counts.unchecked], [3, 3, 3, 3]);
  t.is(mask.data, undefined);
  const none = await run('none.svs');
  t.is(none.code, 1);
  t.regex(none.stderr, /STAINFOLD_FILE_NOT_FOUND/);
  t.is((await run('slide.tif', '--tile-size', '4')).code, 2);
  t.is((await run('slide.tif', '-o', 'tiles.txt')).code, 2);
});
