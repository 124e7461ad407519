// Control flow of slide embedding, to the byte, with a reader and an encoder that compute next to nothing.
import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import test from 'ava';
import { embedSlidesWith } from '../../lib/api/embed-slides.js';
import { nearestSlides, readFeatures, readSlideVectors } from '../../lib/index.js';
import { temporaryFolder } from '../data/tiles.js';
import { DIMENSIONS, fakeEncoder, fakeReader, statusOf } from './fake-slides.js';

/** Empty files with the names, in <folder>/slides. */
async function slidesNamed(t, ...names) {
  const folder = await temporaryFolder(t);
  const slides = join(folder, 'slides');
  for (const name of names) {
    await mkdir(dirname(join(slides, name)), { recursive: true });
    await writeFile(join(slides, name), name);
    await utimes(join(slides, name), 1e9, 1e9);
  }
  return { folder, slides, out: join(folder, 'features') };
}

function embed(options, script = {}) {
  const reader = fakeReader(script);
  const encoder = fakeEncoder(reader, script);
  return embedSlidesWith(reader, encoder, { chunkTiles: 16, ...options });
}

const STOPPED = new Error('stopped');
const kept = (count) => Array.from({ length: count }, (_, i) => i).filter((i) => statusOf(i) === 'ok');
const states = ({ slides }) => Object.fromEntries(slides.map(({ slide, state }) => [slide, state]));

test('a stream: chunks of whole batches, every tile once, glass and blur left out and listed', async (t) => {
  const { slides } = await slidesNamed(t, '100-a.svs');
  const events = [];
  const reader = fakeReader({ events });
  const encoder = fakeEncoder(reader);
  const chunks = [];
  const progress = [];
  let tiling;
  for await (const chunk of encoder.embedSlide(join(slides, '100-a.svs'), {
    chunkTiles: 20, // rounded up to 24
    onTiling: (found) => {
      tiling = found;
    },
    onProgress: (p) => progress.push(p),
  })) {
    chunks.push(chunk);
  }
  t.is(tiling.count, 100);
  const indices = chunks.flatMap((chunk) => [...chunk.indices]);
  t.deepEqual(indices, kept(100));
  t.deepEqual(chunks.map((chunk) => chunk.indices.length).slice(0, -1), [24, 24, 24]);
  t.deepEqual(
    chunks.flatMap(({ coords }) => [...coords]),
    indices.flatMap((i) => [64 * i, i]),
  );
  t.deepEqual(
    chunks.flatMap(({ features }) => [...features].filter((_, i) => i % DIMENSIONS === 0)),
    indices,
  );
  const rejected = chunks.flatMap((chunk) => chunk.rejected);
  t.deepEqual(
    rejected.map(({ index, status }) => [index, status]),
    Array.from({ length: 100 }, (_, i) => [i, statusOf(i)]).filter(([, status]) => status !== 'ok'),
  );
  t.is(chunks.at(-1).next, 100);
  t.is(progress.at(-1).done, 100);
  t.true(progress.at(-1).tilesPerSecond > 0);
  t.deepEqual(events, [
    ['open', '100-a'],
    ['close', '100-a'],
  ]);
});

test('a stream that goes on at any chunk gives the rest of the uninterrupted one', async (t) => {
  const { slides } = await slidesNamed(t, '100-a.svs');
  const encoder = fakeEncoder(fakeReader());
  const path = join(slides, '100-a.svs');
  const collect = async (from) => {
    const found = [];
    for await (const chunk of encoder.embedSlide(path, { chunkTiles: 8, from })) found.push(chunk);
    return found;
  };
  const whole = await collect(0);
  for (const [i, { next }] of whole.entries()) t.deepEqual(await collect(next), whole.slice(i + 1));
  await t.throwsAsync(collect(101), { code: 'STAINFOLD_OPTION', message: /at most 100/ });
});

test('leaving a stream early closes the slide', async (t) => {
  const { slides } = await slidesNamed(t, '100-a.svs');
  const events = [];
  const encoder = fakeEncoder(fakeReader({ events }));
  for await (const chunk of encoder.embedSlide(join(slides, '100-a.svs'), { chunkTiles: 8 })) {
    t.is(chunk.indices.length, 8);
    break;
  }
  t.deepEqual(events.at(-1), ['close', '100-a']);
  const stop = new AbortController();
  const reason = new Error('enough');
  const aborted = (async () => {
    for await (const _ of encoder.embedSlide(join(slides, '100-a.svs'), {
      chunkTiles: 8,
      signal: stop.signal,
    }))
      stop.abort(reason);
  })();
  t.is(await t.throwsAsync(aborted), reason);
  t.deepEqual(events.at(-1), ['close', '100-a']);
});

test('slides: written, then present; tables of all', async (t) => {
  const { slides, out } = await slidesNamed(t, '60-a.svs', 'deep/40-b.svs', '9-c.svs');
  const first = await embed({ slides, out });
  t.deepEqual(states(first), { '40-b': 'written', '60-a': 'written', '9-c': 'written' });
  for (const { slide, tiles, rejected, files } of first.slides) {
    const count = Number(slide.split('-')[0]);
    t.is(tiles, kept(count).length);
    t.is(tiles + (rejected.background ?? 0) + (rejected.blur ?? 0), count);
    const { data, coords, attributes } = await readFeatures(files[0]);
    t.deepEqual(
      [...data].filter((_, i) => i % DIMENSIONS === 0),
      kept(count),
    );
    t.deepEqual(
      [...coords].filter((_, i) => i % 2),
      kept(count),
    );
    t.is(attributes.slide, slide);
    t.is(attributes.mpp, 0.25);
  }
  t.deepEqual((await readdir(out)).sort(), [
    '.stainfold',
    '40-b.h5',
    '60-a.h5',
    '9-c.h5',
    'slides.csv',
    'slides.parquet',
  ]);
  const marks = ['40-b.json', '40-b.seen', '60-a.json', '60-a.seen', '9-c.json', '9-c.seen'];
  t.deepEqual((await readdir(join(out, '.stainfold'))).sort(), marks);
  const lines = (await readFile(join(out, 'slides.csv'), 'utf8')).trimEnd().split('\n');
  t.is(lines[0], 'slide,file,tiles,dimensions,background,blur,pen,fold,unreadable,seconds');
  t.regex(lines[3], /^9-c,9-c\.h5,7,6,1,1,0,0,0,/);

  const events = [];
  const again = await embed({ slides, out }, { events });
  t.deepEqual(new Set(Object.values(states(again))), new Set(['present']));
  t.deepEqual(events, [], 'no slide was opened');
  t.is(again.slides.at(-1).tiles, kept(40).length);
});

test('vectors of slides: mean, max, and which are alike', async (t) => {
  const { slides, out } = await slidesNamed(t, '60-a.svs', '40-b.svs', '61-c.svs');
  await embed({ slides, out, pooling: 'mean-max' });
  const vectors = await readSlideVectors(out);
  t.deepEqual(vectors.names, ['40-b', '60-a', '61-c']);
  t.deepEqual(vectors.shape, [3, 2 * DIMENSIONS]);
  const { data } = await readFeatures(join(out, '60-a.h5'));
  const column = (c) => [...data].filter((_, i) => i % DIMENSIONS === c);
  for (let c = 0; c < DIMENSIONS; c++) {
    const values = column(c);
    const row = vectors.data.subarray(2 * DIMENSIONS, 4 * DIMENSIONS);
    t.is(row[c], Math.fround(values.reduce((a, b) => a + b) / values.length));
    t.is(row[DIMENSIONS + c], Math.max(...values));
  }
  const [nearest, ...rest] = nearestSlides(vectors, '60-a');
  t.is(nearest.slide, '61-c');
  t.is(rest.length, 1);
  t.true(nearest.similarity > rest[0].similarity && nearest.similarity <= 1);
  t.is(nearestSlides(vectors, vectors.data.slice(0, 12), 1)[0].slide, '40-b');
  t.throws(() => nearestSlides(vectors, 'none'), { code: 'STAINFOLD_OPTION', message: /'none' among 3/ });
  t.throws(() => nearestSlides(vectors, new Float32Array(3)), { code: 'STAINFOLD_SHAPE' });
});

test('a slide that fails leaves the others alone, and nothing that looks complete', async (t) => {
  const names = ['20-a.svs', '90-bad55.svs', '0-empty.svs', '20-nompp.svs', '30-z.svs'];
  const { slides, out } = await slidesNamed(t, ...names);
  const { slides: outcomes } = await embed({ slides, out });
  const codes = Object.fromEntries(outcomes.map(({ slide, error }) => [slide, error?.code]));
  t.deepEqual(codes, {
    '0-empty': 'STAINFOLD_SLIDE_EMPTY',
    '20-a': undefined,
    '20-nompp': 'STAINFOLD_SLIDE_MPP',
    '30-z': undefined,
    '90-bad55': 'STAINFOLD_SLIDE_READ',
  });
  const { error } = outcomes.find(({ slide }) => slide === '90-bad55');
  t.regex(error.message, /damaged at tile 55\.$/);
  t.true(error.hint.length > 0);
  t.deepEqual(
    (await readdir(out)).filter((name) => name.endsWith('.h5')),
    ['20-a.h5', '30-z.h5'],
  );
  const lines = (await readFile(join(out, 'slides.csv'), 'utf8')).trimEnd().split('\n');
  t.is(lines.length, 3);

  const skipping = await embed({ slides: join(slides, '90-bad55.svs'), out, unreadable: 'skip' });
  t.is(skipping.slides[0].state, 'written');
  t.is(skipping.slides[0].rejected.unreadable, 1);
  const { coords } = await readFeatures(join(out, '90-bad55.h5'));
  t.deepEqual(
    [...coords].filter((_, i) => i % 2),
    kept(90).filter((i) => i !== 55),
  );
});

test('a slide whose every tile is rejected is an error', async (t) => {
  const { slides, out } = await slidesNamed(t, '1-bad0.svs');
  const {
    slides: [only],
  } = await embed({ slides, out, unreadable: 'skip' });
  t.is(only.error.code, 'STAINFOLD_SLIDE_EMPTY');
  t.regex(only.error.message, /None of the 1 tiles .* 1 unreadable/);
});

test('stopped anywhere and begun again: the bytes of a run that was not', async (t) => {
  const { slides, out, folder } = await slidesNamed(t, '150-a.svs');
  await embed({ slides, out: join(folder, 'whole') });
  const expected = await readFile(join(folder, 'whole', '150-a.h5'));
  for (const at of [1, 30, 77, 149]) {
    const stop = new AbortController();
    const stopped = embed(
      { slides, out, signal: stop.signal },
      { onRead: (i) => i === at && stop.abort(STOPPED) },
    );
    t.is(await t.throwsAsync(stopped), STOPPED);
    t.false((await readdir(out)).includes('150-a.h5'));
    const read = [];
    const {
      slides: [outcome],
    } = await embed({ slides, out }, { onRead: (i) => read.push(i) });
    t.is(outcome.state, 'written');
    t.is(outcome.resumed, read[0], 'nothing that was done is read again');
    if (at > 77) t.true(outcome.resumed > 50);
    t.true((await readFile(join(out, '150-a.h5'))).equals(expected), `stopped at ${at}`);
    await rm(out, { recursive: true });
  }
});

test('a part that is cut or altered anywhere loses the chunks from there on, no more', async (t) => {
  const { slides, out, folder } = await slidesNamed(t, '150-bad149.svs');
  await embed({ slides, out: join(folder, 'whole'), unreadable: 'skip' });
  const expected = await readFile(join(folder, 'whole', '150-bad149.h5'));
  const part = join(out, '.stainfold', '150-bad149.part');
  const fail = async () => {
    // All but the last chunk are done when the last tile fails: a part as a kill leaves it.
    const stop = new AbortController();
    const run = embed(
      { slides, out, unreadable: 'skip', signal: stop.signal },
      { onRead: (i) => i === 149 && stop.abort(STOPPED) },
    );
    t.is(await t.throwsAsync(run), STOPPED);
    return readFile(part);
  };
  const bytes = await fail();
  const resumes = [];
  for (const share of [0, 0.1, 0.5, 0.9, 0.999]) {
    const at = Math.floor(bytes.length * share);
    const flipped = Buffer.from(bytes);
    flipped[at] ^= 1;
    for (const damaged of [bytes.subarray(0, at), flipped]) {
      await writeFile(part, damaged);
      const {
        slides: [outcome],
      } = await embed({ slides, out, unreadable: 'skip' });
      t.is(outcome.state, 'written', JSON.stringify(outcome.error));
      resumes.push(outcome.resumed);
      t.true((await readFile(join(out, '150-bad149.h5'))).equals(expected), `damaged at ${share}`);
      await rm(out, { recursive: true });
      await mkdir(dirname(part), { recursive: true });
    }
  }
  t.is(resumes[0], 0);
  t.true(resumes.at(-1) > 90);
  t.deepEqual(
    resumes,
    resumes.toSorted((a, b) => a - b),
  );
});

test('a file that exists is not a slide that is done', async (t) => {
  const { slides, out } = await slidesNamed(t, '20-a.svs');
  await mkdir(out);
  await writeFile(join(out, '20-a.h5'), 'half of something');
  const {
    slides: [foreign],
  } = await embed({ slides, out });
  t.is(foreign.error.code, 'STAINFOLD_OUTPUT_EXISTS');
  t.regex(foreign.error.message, /not known to be complete/);
  t.is((await embed({ slides, out, overwrite: true })).slides[0].state, 'written');
  await writeFile(join(out, '20-a.h5'), 'cut');
  t.is(
    (await embed({ slides, out })).slides[0].error.code,
    'STAINFOLD_OUTPUT_EXISTS',
    'its size is not what was written',
  );
  await rm(join(out, '20-a.h5'));
  t.is((await embed({ slides, out })).slides[0].state, 'written');
});

test('features of another model, other tiles or another slide are not taken for these', async (t) => {
  const { slides, out } = await slidesNamed(t, '20-a.svs');
  await embed({ slides, out });
  const refused = async (what, options, script) => {
    const {
      slides: [outcome],
    } = await embed({ slides, out, ...options }, script);
    t.is(outcome.error?.code, 'STAINFOLD_OUTPUT_EXISTS', what);
    t.regex(outcome.error.message, new RegExp(`another ${what}\\.$`));
  };
  await refused('model', {}, { seed: 2 });
  await refused('tiling', { tiling: { mpp: 1 } });
  await refused('way to open the slide \\(mpp, mppFile, backend, icc\\)', { slide: { mpp: 0.5 } });
  await refused('quality', { quality: false });
  await refused('pooling', { pooling: 'max' });
  await writeFile(join(slides, '20-a.svs'), 'scanned again');
  await refused('size of the file', {});
  t.is((await embed({ slides, out, overwrite: true, quality: false })).slides[0].tiles, 20);
});

test('encoders and tilings lie side by side in the folders of a layout', async (t) => {
  const { slides, out } = await slidesNamed(t, '20-a.svs');
  const state = async (options, script) =>
    (await embed({ slides, out, layout: 'trident', ...options }, script)).slides[0].state;
  t.is(await state({ encoder: 'one' }), 'written');
  t.is(await state({ encoder: 'two' }, { seed: 2 }), 'written');
  t.is(await state({ encoder: 'one', tiling: { overlap: 8 } }), 'written');
  // The two encoders have one file of coordinates.
  t.is(await state({ encoder: 'one' }), 'present');
  t.is(await state({ encoder: 'two' }, { seed: 2 }), 'present');
  t.is(await state({ encoder: 'two' }), 'failed');
});

test('places of the layouts; every format', async (t) => {
  const { slides, folder } = await slidesNamed(t, '20-a.svs');
  const files = async (options) => {
    const out = join(folder, Math.random().toString(36).slice(2));
    const {
      slides: [{ files, error }],
    } = await embed({ slides, out, encoder: 'lmc', ...options });
    t.is(error, undefined);
    for (const file of files) t.deepEqual((await readFile(file).catch(() => 'folder')).length > 0, true);
    return files.map((file) => file.slice(out.length + 1));
  };
  t.deepEqual(await files({ layout: 'trident', tiling: { overlap: 8 } }), [
    '20x_32px_8px_overlap/features_lmc/20-a.h5',
    '20x_32px_8px_overlap/patches/20-a_patches.h5',
  ]);
  t.deepEqual(await files({ layout: 'clam' }), ['h5_files/20-a.h5', 'patches/20-a.h5']);
  const [stamp] = await files({ layout: 'stamp' });
  t.regex(stamp, /^lmc-[0-9a-f]{8}\/20-a\.h5$/);
  for (const format of ['safetensors', 'parquet', 'zarr'])
    t.deepEqual(await files({ format }), [`20-a.${format}`]);
  t.deepEqual(await files({ format: 'npy', precision: 'fp16' }), [
    '20-a.npy',
    '20-a.coords.npy',
    '20-a.json',
  ]);
});

test('what makes no sense is refused before anything is opened', async (t) => {
  const { slides, out, folder } = await slidesNamed(t, '20-a.svs', 'again/20-a.svs');
  const refused = (code, message, options) =>
    t.throwsAsync(embed({ slides, out, ...options }), { code, message });
  await refused('STAINFOLD_OPTION', /Two slides have the name '20-a'/, {});
  await refused('STAINFOLD_OPTION', /stamp holds fp16/, { layout: 'stamp', precision: 'fp32' });
  await refused('STAINFOLD_OPTION', /HDF5 files, got format npy/, { layout: 'clam', format: 'npy' });
  await refused('STAINFOLD_OPTION', /name without slashes/, { encoder: '../x' });
  await refused('STAINFOLD_OPTION_UNKNOWN', /did you mean 'layout'/, { layuot: 'clam' });
  await refused('STAINFOLD_FILE_NOT_FOUND', /none/, { slides: join(folder, 'none') });
  await mkdir(join(folder, 'bare'));
  await refused('STAINFOLD_TILES_EMPTY', /no slide in/, { slides: join(folder, 'bare') });
});
