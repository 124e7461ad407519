// Slides through the command line, with the real reader and the model that comes with stainfold. Needs LibTorch and the addon.
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { embedSlides, loadEncoder, readFeatures, readSlideVectors } from '../../lib/index.js';
import { writeTissueSlide } from '../slides/tissue-slide.js';
import { temporaryFolder } from '../temporary.js';
import { cli } from './cli.js';

const folder = temporaryFolder('cli-slides');
const run = (...args) => cli(args, { cwd: folder });
const ON = ['--device', 'cpu', '--threads', '1', '--min-tissue', '0.9'];

test.before(async () => {
  mkdirSync(join(folder, 'slides'));
  const tissue = [' ttt ', ' tbt ', ' ttt '];
  await writeTissueSlide(join(folder, 'slides', 'a.tif'), tissue);
  await writeTissueSlide(join(folder, 'slides', 'b.tif'), [' tt ', ' tt ']);
  await writeTissueSlide(join(folder, 'slides', 'glass.tif'), ['   ', '   ']);
  await writeTissueSlide(join(folder, 'slides', 'cut.tif'), tissue);
  truncateSync(
    join(folder, 'slides', 'cut.tif'),
    readFileSync(join(folder, 'slides', 'cut.tif')).length >> 1,
  );
  writeFileSync(join(folder, 'slides', 'notes.png'), 'not a slide');
});

test.serial('a folder of slides: a table, errors by slide, exit code 1; the rest is done', async (t) => {
  const { code, stdout, stderr } = await run(
    'embed',
    'slides',
    '-o',
    'features',
    '--layout',
    'trident',
    ...ON,
  );
  t.is(code, 1);
  t.regex(stderr, /^4 slides in slides; 1 other image left out$/m);
  t.regex(stderr, /^a: written, \d+ tiles in /m);
  const lines = stdout.split('\n');
  t.regex(lines[0], /^slide +tiles +rejected +time +tiles\/s +waited for$/);
  t.regex(lines[1], /^a +\d+ +\d+ blur/);
  t.regex(lines[2], /^b +64 {2}/);
  t.regex(lines[3], /^cut .*failed: STAINFOLD_SLIDE_READ$/);
  t.regex(lines[4], /^glass .*failed: STAINFOLD_SLIDE_EMPTY$/);
  t.regex(stdout, /^→ .*--min-tissue/m);
  t.regex(stdout, /^✘ 2 slides, \d+ tiles in features, in .* on cpu; 2 failed$/m);
  const { shape, coords, attributes } = await readFeatures(
    join(folder, 'features/20x_64px_0px_overlap/features_stainfold/b.h5'),
  );
  t.deepEqual(shape, [64, 128]);
  t.deepEqual([...coords.slice(0, 4)], [256, 0, 320, 0]);
  t.is(attributes.patch_size_level0, 64);
  const home = join(folder, 'features/20x_64px_0px_overlap/features_stainfold');
  t.deepEqual((await readSlideVectors(home)).names, ['a', 'b']);
});

test.serial('again, as JSON: what is there is passed over, what failed is tried again', async (t) => {
  const { code, stdout } = await run(
    'embed',
    'slides',
    '-o',
    'features',
    '--layout',
    'trident',
    '--json',
    ...ON,
  );
  t.is(code, 1);
  const { slides, files, device } = JSON.parse(stdout);
  t.deepEqual(
    slides.map(({ slide, state, error }) => [slide, state, error?.code]),
    [
      ['a', 'present', undefined],
      ['b', 'present', undefined],
      ['cut', 'failed', 'STAINFOLD_SLIDE_READ'],
      ['glass', 'failed', 'STAINFOLD_SLIDE_EMPTY'],
    ],
  );
  t.is(device, 'cpu');
  const home = 'features/20x_64px_0px_overlap/features_stainfold';
  t.deepEqual(files, [`${home}/slides.csv`, `${home}/slides.parquet`]);
  const good = await run(
    'embed',
    'slides/a.tif',
    'slides/b.tif',
    '-o',
    'features',
    '--layout',
    'trident',
    ...ON,
  );
  t.is(good.code, 0, good.stderr);
  t.regex(good.stdout, /^a .*was there already$/m);
});

test.serial('search: the slides most like one', async (t) => {
  const home = 'features/20x_64px_0px_overlap/features_stainfold';
  const { code, stdout, stderr } = await run('search', home, '--slide', 'a');
  t.is(code, 0, stderr);
  t.regex(stdout, /^cosine {2}slide\n[01]\.\d{4} {2}b\n$/);
  const { matches, of } = JSON.parse((await run('search', home, '--slide', 'b', '--json')).stdout);
  t.is(of, 2);
  t.deepEqual(
    matches.map(({ slide }) => slide),
    ['a'],
  );
  const none = await run('search', home, '--slide', 'c');
  t.is(none.code, 1);
  t.regex(none.stderr, /There is no slide 'c' among 2/);
});

test.serial('stopped in mid-slide with the real core and begun again: the same bytes', async (t) => {
  const encoder = await loadEncoder('phantom-tiny', { device: 'cpu', threads: 1, batchSize: 16 });
  t.teardown(() => encoder.dispose());
  const slides = join(folder, 'slides', 'a.tif');
  const options = { slides, chunkTiles: 32, format: 'safetensors', tiling: { minTissue: 0.9 } };
  const whole = await embedSlides(encoder, { ...options, out: join(folder, 'whole') });
  const out = join(folder, 'stopped');
  const stop = new AbortController();
  const onProgress = ({ progress }) => progress?.done > 64 && stop.abort(new Error('stopped'));
  await t.throwsAsync(embedSlides(encoder, { ...options, out, signal: stop.signal, onProgress }), {
    message: 'stopped',
  });
  const resumed = await embedSlides(encoder, { ...options, out });
  t.true(resumed.slides[0].resumed >= 32);
  const [expected, got] = [whole, resumed].map(({ slides: [slide] }) => readFileSync(slide.files[0]));
  t.true(got.equals(expected));
});

test.serial(
  '--report looks at the slides as they are embedded, and again at those that were there',
  async (t) => {
    const args = [
      'embed',
      'slides/a.tif',
      'slides/glass.tif',
      '-o',
      'looked',
      '--report',
      'page.html',
      '--pictures',
      'seen',
    ];
    const first = await run(...args, '--json', ...ON);
    t.is(first.code, 1, first.stderr);
    const { slides, report } = JSON.parse(first.stdout);
    t.deepEqual(
      report.slides.map(({ slide, tiles, error }) => [slide, tiles, error?.code]),
      [
        ['a.tif', slides[0].tiles, undefined],
        ['glass.tif', 0, 'STAINFOLD_SLIDE_EMPTY'],
      ],
    );
    const names = ['tiles', 'components', 'ood', 'similarity', 'montage'];
    t.deepEqual(Object.keys(report.slides[0].pictures), names);
    const pictures = () => names.map((name) => readFileSync(join(folder, 'seen/a', `${name}.png`)));
    const before = pictures();
    const page = readFileSync(join(folder, 'page.html'), 'utf8');
    t.notRegex(page, /(?:src|href)="(?!data:)/);
    t.regex(page, /stainfold embed slides\/a\.tif/);
    const second = await run(...args, ...ON);
    t.regex(second.stdout, /^a .*was there already$/m);
    t.regex(second.stdout, /^report in .*page\.html$/m);
    t.deepEqual(pictures(), before);
  },
);

test.serial('tiles go into a file and slides into a folder: what does not fit is told', async (t) => {
  const refused = async (message, ...args) => {
    const { code, stderr } = await run('embed', ...args);
    t.is(code, 1);
    t.regex(stderr, message);
  };
  await refused(/Slides go to a folder, got --out z\.npy/, 'slides', '-o', 'z.npy');
  mkdirSync(join(folder, 'tiles'));
  await refused(/tiles holds tiles, no slides, and --out is features/, 'tiles', '-o', 'features');
  await refused(
    /no slide in tiles, and --tile-mpp is for slides/,
    'tiles',
    '-o',
    'z.npy',
    '--tile-mpp',
    '0.5',
  );
  await refused(/one folder or manifest, got 2/, 'tiles', 'tiles', '-o', 'z.npy');
  const usage = await run('embed', 'slides', '-o', 'all.h5');
  t.is(usage.code, 2);
  t.regex(usage.stderr, /for slides a folder, and --format/);
});
