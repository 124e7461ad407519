// Invariant: encoders, slides and normalisers answer every call in every state with a result, a documented error or the reason of
// an abort.
import { join } from 'node:path';
import test from 'ava';
import { loadEncoder, openSlide, StainNormalizer } from '../../lib/index.js';
import { checkMatrix, ending, methodsOf, watchRejections } from './matrix.js';
import { MODEL, makeSite, SIDE } from './site.js';

const site = await makeSite();

watchRejections(test);
const tile = site.paths[0];
const load = (options) => loadEncoder(MODEL, { device: 'cpu', threads: 1, batchSize: 4, ...options });
const DISPOSED = 'STAINFOLD_DISPOSED';

const ENCODER = {
  embed: (encoder) => encoder.embed([tile, tile]),
  embedSlide: (encoder) =>
    encoder.embedSlide(site.slide, { tiling: { mpp: 0.5, tileSize: SIDE }, quality: false }),
  reconstruct: (encoder) => encoder.reconstruct(tile),
  score: (encoder) => encoder.score(tile),
  attribute: (encoder) => encoder.attribute(tile, { methods: ['cam'] }),
  dispose: (encoder) => encoder.dispose(),
  '[asyncDispose]': (encoder) => encoder[Symbol.asyncDispose](),
};

test.serial('Encoder', async (t) => {
  const first = await load();
  const prototype = Object.getPrototypeOf(first);
  await first.dispose();
  const many = Array.from({ length: 64 }, (_, i) => site.paths[i % site.paths.length]);
  const alive = (end = 'ok') => ({ idle: end, busy: end, aborted: end, disposed: DISPOSED });
  const ends = { idle: 'ok', busy: 'ok', aborted: 'ok', disposed: 'ok' };
  await checkMatrix(t, {
    prototype,
    methods: ENCODER,
    states: {
      idle: async () => ({ object: await load() }),
      busy: async () => {
        const object = await load();
        const settled = Promise.allSettled([
          object.embed(many),
          object.reconstruct(many),
          object.attribute(many, { methods: ['cam'] }),
        ]);
        return { object, after: () => settled };
      },
      aborted: async () => {
        const object = await load();
        const controller = new AbortController();
        const reason = new Error('enough');
        const call = object.embed(many, {
          signal: controller.signal,
          onProgress: () => controller.abort(reason),
        });
        t.is(await call.catch((error) => error), reason);
        return { object };
      },
      disposed: async () => {
        const object = await load();
        await object.dispose();
        return { object };
      },
    },
    // phantom-tiny comes with its statistics
    expected: {
      embed: alive(),
      embedSlide: alive(),
      reconstruct: alive(),
      score: alive(),
      attribute: alive(),
      dispose: ends,
      '[asyncDispose]': ends,
    },
    dispose: (encoder) => encoder.dispose(),
  });
});

test.serial('Encoder: disposed under each of its calls, which end each in one way', async (t) => {
  const many = Array.from({ length: 64 }, (_, i) => site.paths[i % site.paths.length]);
  for (const [name, call] of Object.entries({
    ...ENCODER,
    embed: (encoder) => encoder.embed(many),
    reconstruct: (encoder) => encoder.reconstruct(many),
    score: (encoder) => encoder.score(many),
    attribute: (encoder) => encoder.attribute(many, { methods: ['cam', 'sensitivity'] }),
  })) {
    for (const turns of [0, 1, 20]) {
      const encoder = await load();
      const end = ending(t, () => call(encoder), name);
      for (let i = 0; i < turns; i++) await new Promise(setImmediate);
      await Promise.all([encoder.dispose(), encoder.dispose()]);
      t.true(['ok', DISPOSED].includes((await end).end), `${name} after ${turns} turns: ${(await end).end}`);
    }
  }
});

test.serial(
  'Encoder: disposed or aborted while tiles wait for others, it keeps no process waiting',
  async (t) => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    for (const stop of ['dispose', 'abort']) {
      const encoder = await load({ maxWaitMs: 60_000 });
      const controller = new AbortController();
      const call = encoder.embed(tile, { signal: controller.signal });
      call.catch(() => undefined);
      while (timers() === before) await new Promise((done) => setImmediate(done));
      if (stop === 'abort') controller.abort();
      else await encoder.dispose();
      t.not(await call.catch(({ name }) => name), undefined);
      t.is(timers(), before, `${stop}: the timer of what waited is gone`);
      await encoder.dispose();
    }
  },
);

test.serial('Slide', async (t) => {
  const opened = await openSlide(site.slide);
  const prototype = Object.getPrototypeOf(opened);
  const getters = Object.getOwnPropertyNames(prototype).filter(
    (name) => Object.getOwnPropertyDescriptor(prototype, name).get !== undefined,
  );
  const region = { x: 3, y: 5, width: 40, height: 30 };
  const ends = { idle: 'ok', busy: 'ok', aborted: 'ok', disposed: 'ok' };
  const alive = { ...ends, disposed: DISPOSED };
  await checkMatrix(t, {
    prototype,
    methods: {
      readRegion: (slide) => slide.readRegion(region),
      thumbnail: (slide) => slide.thumbnail(32),
      dispose: (slide) => slide.dispose(),
      '[asyncDispose]': (slide) => slide[Symbol.asyncDispose](),
    },
    states: {
      idle: async () => ({ object: await openSlide(site.slide) }),
      busy: async () => {
        const object = await openSlide(site.slide);
        const settled = Promise.all(
          Array.from({ length: 20 }, (_, i) => object.readRegion({ ...region, x: i })),
        );
        return { object, after: () => settled }; // dispose() waits for what was begun: none may fail
      },
      aborted: async () => {
        const object = await openSlide(site.slide);
        const reason = new Error('enough');
        const call = object.readRegion(region, { signal: AbortSignal.abort(reason) });
        t.is(await call.catch((error) => error), reason);
        return { object };
      },
      disposed: async () => {
        const object = await openSlide(site.slide);
        await object.dispose();
        for (const name of getters) t.notThrows(() => object[name], name);
        return { object };
      },
    },
    expected: { readRegion: alive, thumbnail: alive, dispose: ends, '[asyncDispose]': ends },
    dispose: (slide) => slide.dispose(),
  });
  await opened.dispose();
});

test.serial('StainNormalizer', async (t) => {
  const make = () => StainNormalizer.published({ device: 'cpu' });
  const save = (normalizer) => normalizer.save(join(site.folder, 'stain.json'));
  const methods = {
    save,
    normalize: (normalizer) => normalizer.normalize(site.paths.slice(0, 3)),
    bind: (normalizer) => normalizer.bind(site.paths.slice(0, 3)),
  };
  const always = { idle: 'ok', busy: 'ok', aborted: 'ok', 'left early': 'ok' };
  await checkMatrix(t, {
    prototype: StainNormalizer.prototype,
    methods,
    states: {
      idle: async () => ({ object: await make() }),
      busy: async () => {
        const object = await make();
        const settled = Promise.all(
          [0, 1, 2].map(() => ending(t, () => object.normalize(site.paths), 'beside it')),
        );
        return { object, after: () => settled };
      },
      aborted: async () => {
        const object = await make();
        const controller = new AbortController();
        const reason = new Error('enough');
        const stopped = (async () => {
          for await (const _ of object.normalize(site.paths, { signal: controller.signal }))
            controller.abort(reason);
        })();
        t.is(await stopped.catch((error) => error), reason);
        return { object };
      },
      'left early': async () => {
        const object = await make();
        for await (const _ of object.normalize(site.paths)) break;
        return { object };
      },
    },
    expected: Object.fromEntries(Object.keys(methods).map((name) => [name, always])),
  });
  const { result } = await ending(t, async () => (await make()).bind(site.paths), 'bind');
  t.deepEqual(Object.keys(result).sort(), ['normalize', 'status']);
  t.deepEqual(
    methodsOf(StainNormalizer).filter((name) => !['length', 'name'].includes(name)),
    ['fit', 'load', 'published'],
    'as test/boundary/signals.test.js calls them',
  );
});
