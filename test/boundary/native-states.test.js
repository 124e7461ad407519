// Invariant: whatever its state, a native object answers every call with a result or a documented error, and never twice.
import test from 'ava';
import {
  addon,
  bytesOf,
  manifold,
  model,
  pixels,
  trainOptions,
  translatorModel,
  translatorOptions,
} from '../native/fixtures.js';
import { library, skip, slideOf } from '../slides/fake-openslide.js';
import { checkMatrix, ending, watchRejections } from './matrix.js';

watchRejections(test);

const DISPOSED = 'STAINFOLD_DISPOSED';
const STATE = 'STAINFOLD_STATE';
const none = new Uint8Array(0);

/** States of a class whose objects open, work on a thread of their own and are disposed. `work` is a call that takes a while. */
function residentStates(create, open, work) {
  const opened = async () => {
    const object = create();
    await open(object);
    return object;
  };
  return {
    new: async () => ({ object: create() }),
    idle: async () => ({ object: await opened() }),
    busy: async () => {
      const object = await opened();
      // The one that is asked waits behind the first, and most of the rest are dropped by dispose().
      const calls = Array.from({ length: 6 }, () => work(object));
      const settled = Promise.allSettled(calls);
      return { object, after: () => settled };
    },
    failed: async () => {
      const object = create({ device: 'cuda:99' });
      await open(object).catch(() => undefined);
      return { object };
    },
    disposed: async () => {
      const object = await opened();
      await object.dispose();
      return { object };
    },
    'disposed unopened': async () => {
      const object = create();
      await object.dispose();
      return { object };
    },
  };
}

/** What a call of an opened object gives; opening says that it is open already, unless it failed. */
const whenOpen = (idle = 'ok') => ({
  new: STATE,
  idle,
  busy: idle,
  failed: STATE,
  disposed: DISPOSED,
  'disposed unopened': DISPOSED,
});
const opening = {
  new: 'ok',
  idle: STATE,
  busy: STATE,
  failed: 'STAINFOLD_DEVICE',
  disposed: DISPOSED,
  'disposed unopened': DISPOSED,
};
const always = Object.fromEntries(Object.keys(opening).map((state) => [state, 'ok']));
const dispose = (object) => object.dispose();

test.serial('Trainer', async (t) => {
  const create = (overrides) => new addon.Trainer(trainOptions(overrides));
  const size = await (async () => {
    const trainer = create();
    await trainer.open();
    const bytes = bytesOf(trainer.layout());
    await trainer.dispose();
    return bytes;
  })();
  await checkMatrix(t, {
    prototype: addon.Trainer.prototype,
    methods: {
      open: (trainer) => trainer.open(),
      step: (trainer) => trainer.step(pixels(4), 4, null, null, null, null),
      layout: (trainer) => trainer.layout(),
      exportState: (trainer) => trainer.exportState(new Uint8Array(size)),
      importState: (trainer) => trainer.importState([], none),
      dispose,
    },
    states: residentStates(
      create,
      (trainer) => trainer.open(),
      (trainer) => trainer.step(pixels(4), 4, null, null),
    ),
    expected: {
      open: opening,
      step: whenOpen(),
      layout: whenOpen(),
      exportState: whenOpen(),
      importState: whenOpen('STAINFOLD_WEIGHTS'),
      dispose: always,
    },
    dispose,
  });
});

test.serial('Embedder', async (t) => {
  const create = (overrides) =>
    new addon.Embedder({ model, device: 'cpu', precision: 'fp32', seed: 1, ...overrides });
  const attribution = { method: 'cam', target: 'norm', baseline: 'glass', steps: 2, stage: 3 };
  await checkMatrix(t, {
    prototype: addon.Embedder.prototype,
    methods: {
      open: (embedder) => embedder.open([], none),
      embed: (embedder) => embedder.embed(pixels(2), 2, null),
      secondsResident: (embedder) => embedder.secondsResident(pixels(2), 2, 1),
      reconstruct: (embedder) => embedder.reconstruct(pixels(2), 2),
      outlierFeatures: (embedder) => embedder.outlierFeatures(pixels(2), 2, { ...manifold, seed: 1 }, 1, 0),
      score: (embedder) => embedder.score(pixels(2), 2),
      attribute: (embedder) => embedder.attribute(pixels(2), 2, attribution, null),
      sensitivity: (embedder) => embedder.sensitivity(pixels(2), 2),
      dispose,
    },
    states: residentStates(
      create,
      (embedder) => embedder.open([], none),
      (embedder) => embedder.embed(pixels(8), 8, null),
    ),
    // Of random weights there is neither decoder nor statistics.
    expected: {
      open: opening,
      embed: whenOpen(),
      secondsResident: whenOpen(),
      reconstruct: whenOpen(STATE),
      outlierFeatures: whenOpen(STATE),
      score: whenOpen(STATE),
      attribute: whenOpen(),
      sensitivity: whenOpen(),
      dispose: always,
    },
    dispose,
  });
});

const translator = { ...translatorModel, tileSize: 64 };

test.serial('TranslatorTrainer and Translator', async (t) => {
  const options = translatorOptions({ model: translator, learningRate: 1e-3 });
  const create = (overrides) => new addon.TranslatorTrainer({ ...options, ...overrides });
  const step = (trainer) => trainer.step(pixels(2, 1, 64), 2, pixels(2, 2, 64), 2);
  const [specs, data] = await (async () => {
    const trainer = create();
    await trainer.open();
    const into = new Uint8Array(bytesOf(trainer.layout()));
    await trainer.exportState(into);
    const layout = trainer.layout();
    await trainer.dispose();
    return [layout, into];
  })();
  await checkMatrix(t, {
    prototype: addon.TranslatorTrainer.prototype,
    methods: {
      open: (trainer) => trainer.open(),
      step,
      layout: (trainer) => trainer.layout(),
      exportState: (trainer) => trainer.exportState(new Uint8Array(data.length)),
      importState: (trainer) => trainer.importState(specs, data),
      dispose,
    },
    states: residentStates(create, (trainer) => trainer.open(), step),
    expected: {
      open: opening,
      step: whenOpen(),
      layout: whenOpen(),
      exportState: whenOpen(),
      importState: whenOpen(),
      dispose: always,
    },
    dispose,
  });
  await checkMatrix(t, {
    prototype: addon.Translator.prototype,
    methods: {
      open: (painter) => painter.open(specs, data),
      translate: (painter) => painter.translate(pixels(1, 1, 64), 1, 64, 'source'),
      dispose,
    },
    states: residentStates(
      (overrides) =>
        new addon.Translator({ model: translator, device: 'cpu', precision: 'fp32', ...overrides }),
      (painter) => painter.open(specs, data),
      (painter) => painter.translate(pixels(4, 1, 64), 4, 64, 'source'),
    ),
    expected: { open: opening, translate: whenOpen(), dispose: always },
    dispose,
  });
});

(skip ? test.skip : test.serial)('OpenSlide', async (t) => {
  const create = (letter = 'S') =>
    new addon.slide.OpenSlide({ path: slideOf(letter), cacheBytes: 1 << 20, libraries: [library] });
  const read = (slide) => slide.read(0, { x: 0, y: 0, scale: 1, width: 32, height: 32 });
  const opened = async () => {
    const slide = create();
    await slide.open();
    return slide;
  };
  const closed = async (slide) => {
    slide.close();
    return { object: slide };
  };
  await checkMatrix(t, {
    prototype: addon.slide.OpenSlide.prototype,
    methods: { open: (slide) => slide.open(), read, close: (slide) => slide.close() },
    states: {
      new: async () => ({ object: create() }),
      idle: async () => ({ object: await opened() }),
      busy: async () => {
        const object = await opened();
        const settled = Promise.all(Array.from({ length: 40 }, () => read(object))); // also those behind a close()
        return { object, after: () => settled };
      },
      failed: async () => {
        const object = create('X');
        await object.open().catch(() => undefined);
        return { object };
      },
      disposed: async () => closed(await opened()),
      'closed unopened': async () => closed(create()),
    },
    expected: {
      open: {
        new: 'ok',
        idle: 'ok', // anew
        busy: 'ok',
        failed: 'STAINFOLD_SLIDE_FORMAT',
        disposed: DISPOSED,
        'closed unopened': DISPOSED,
      },
      read: {
        new: STATE,
        idle: 'ok',
        busy: 'ok',
        failed: STATE,
        disposed: DISPOSED,
        'closed unopened': DISPOSED,
      },
      close: { new: 'ok', idle: 'ok', busy: 'ok', failed: 'ok', disposed: 'ok', 'closed unopened': 'ok' },
    },
    dispose: (slide) => slide.close(),
  });
  const slide = await opened();
  for (const level of [2, 2 ** 32, 2 ** 53 - 1, -1, 0.5]) {
    const { end } = await ending(
      t,
      () => slide.read(level, { x: 0, y: 0, scale: 1, width: 1, height: 1 }),
      level,
    );
    t.is(end, 'STAINFOLD_OPTION', String(level));
  }
  slide.close();
});

test.serial('disposed while it opens, while it works, and by whoever comes first', async (t) => {
  for (const wait of ['nothing', 'a turn']) {
    const trainer = new addon.Trainer(trainOptions());
    const calls = [
      trainer.open(),
      ...Array.from({ length: 4 }, () => trainer.step(pixels(4), 4, null, null)),
      trainer.exportState(none),
    ];
    if (wait === 'a turn') await new Promise(setImmediate);
    const disposals = [trainer.dispose(), trainer.dispose(), trainer.dispose()];
    t.is(new Set(disposals).size, 1, 'one promise');
    const ends = await Promise.all(calls.map((call, i) => ending(t, () => call, `call ${i}`)));
    for (const { end } of ends) t.true(['ok', DISPOSED, STATE, 'STAINFOLD_SHAPE'].includes(end), end);
    t.true(ends.some(({ end }) => end === DISPOSED));
    await Promise.all(disposals);
    t.is((await ending(t, () => trainer.open(), 'open')).end, DISPOSED);
  }
});

test('methods of another object, and constructors without new, throw and do not crash', async (t) => {
  for (const Class of [
    addon.Trainer,
    addon.Embedder,
    addon.TranslatorTrainer,
    addon.Translator,
    addon.slide.OpenSlide,
  ]) {
    for (const name of Object.getOwnPropertyNames(Class.prototype)) {
      if (name === 'constructor') continue;
      for (const receiver of [{}, Object.create(Class.prototype), null, 1]) {
        await t.throwsAsync(
          async () => Class.prototype[name].call(receiver),
          undefined,
          `${Class.name}.${name}`,
        );
      }
    }
    t.throws(() => Class({}), { instanceOf: TypeError });
    const { end } = await ending(t, () => new Class(), Class.name);
    t.is(end, 'STAINFOLD_OPTION');
  }
});

test('sides and counts that overflow are refused before anything is read', async (t) => {
  for (const tileSize of [0, -32, 2 ** 26, 2 ** 32, 2 ** 53 - 1]) {
    const embedder = new addon.Embedder({
      model: { ...model, tileSize },
      device: 'cpu',
      precision: 'fp32',
      seed: 1,
    });
    for (const tiles of [[pixels(1)], pixels(1), []]) {
      const { end } = await ending(t, () => embedder.embed(tiles, 1, null), `tiles of ${tileSize}`);
      t.true(['STAINFOLD_OPTION', 'STAINFOLD_SHAPE', STATE].includes(end), end);
    }
    await embedder.dispose();
  }
  const large = new addon.Embedder({
    model: { ...model, tileSize: 4096 },
    device: 'cpu',
    precision: 'fp32',
    seed: 1,
  });
  // 3 * 4096 * 4096 * (2^40 + 1) is 3 * 4096 * 4096 in 64 bits.
  const { end } = await ending(t, () => large.embed([new Uint8Array(3 * 4096 * 4096)], 2 ** 40 + 1), 'count');
  t.is(end, 'STAINFOLD_SHAPE');
  await large.dispose();
});
