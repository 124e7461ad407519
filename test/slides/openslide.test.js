// The library that is opened at run time: a small one of its kind, compiled here, whose pixels and failures are known.
import test from 'ava';
import { openSlide } from '../../lib/index.js';
import { skip, slideOf } from './fake-openslide.js';

const ifCompiled = skip ? test.skip : test;

ifCompiled('what the library says, and pixels of both levels', async (t) => {
  const slide = await openSlide(slideOf('S'));
  t.is(slide.backend, 'openslide');
  t.is(slide.vendor, 'fake');
  t.deepEqual([slide.width, slide.height, slide.mpp, slide.objectivePower], [401, 300, 0.25, 40]);
  t.deepEqual([...slide.associated], ['label', 'macro']);
  t.deepEqual(
    slide.levels.map(({ downsample }) => downsample),
    [1, 4],
    'and not 4.005',
  );
  const { data } = await slide.readRegion({ x: 20, y: 30, width: 3, height: 2 });
  t.deepEqual([...data], [20, 30, 0, 21, 30, 0, 22, 30, 0, 20, 31, 0, 21, 31, 0, 22, 31, 0]);
  const coarse = await slide.readRegion({ x: 240, y: 200, width: 1, height: 1, level: 1 });
  t.deepEqual([...coarse.data], [60, 50, 1], 'column 60, row 50 of level 1');
  const glass = await slide.readRegion({ x: 8, y: 0, width: 1, height: 1 });
  t.deepEqual([...glass.data], [8 + 127, 127, 127], 'premultiplied, over white');
  const beside = await slide.readRegion({ x: -1, y: 299, width: 2, height: 2 });
  t.deepEqual(
    [...beside.data],
    [255, 255, 255, 127, 43 + 127, 127, 255, 255, 255, 255, 255, 255],
    'white on three sides; 299 is 43 more than four times 64',
  );
  await slide.dispose();
});

ifCompiled('a failed read rejects, and the slide reads on: the handle is another', async (t) => {
  const slide = await openSlide(slideOf('S'));
  const fine = () => slide.readRegion({ x: 100, y: 0, width: 2, height: 1 });
  const before = await fine();
  const broken = () => slide.readRegion({ x: 349, y: 5, width: 3, height: 1 });
  const error = await t.throwsAsync(broken(), { code: 'STAINFOLD_SLIDE_READ' });
  t.regex(error.message, /level 0 at 349, 5: OpenSlide says: column 350 is unreadable/);
  t.deepEqual((await fine()).data, before.data);
  const mixed = await Promise.allSettled(
    Array.from({ length: 40 }, (_, i) => (i % 4 === 0 ? broken() : fine())),
  );
  for (const [i, { status }] of mixed.entries()) {
    // A read that shared the handle with a failing one may fail with it; those after it do not.
    if (i % 4 === 0) t.is(status, 'rejected');
  }
  t.deepEqual((await fine()).data, before.data);
  await slide.dispose();
});

ifCompiled('what cannot be opened', async (t) => {
  const refused = async (letter, code, message) => {
    const error = await t.throwsAsync(openSlide(slideOf(letter)), { code });
    t.regex(error.message, message);
  };
  await refused('E', 'STAINFOLD_SLIDE_READ', /OpenSlide says: the fake is broken/);
  await refused('N', 'STAINFOLD_SLIDE_READ', /cannot open the file/);
  await refused('X', 'STAINFOLD_SLIDE_FORMAT', /no format that OpenSlide 4\.9\.fake reads/);
});
