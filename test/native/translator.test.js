import test from 'ava';
import {
  addon,
  bytesOf,
  exported,
  translatorModel as MODEL,
  translatorOptions as options,
  pixels,
  SIDE,
  throwsCode,
} from './fixtures.js';

const same = (a, b) => Buffer.compare(a, b) === 0;

async function openTrainer(overrides) {
  const trainer = new addon.TranslatorTrainer(options(overrides));
  await trainer.open();
  return trainer;
}

const step = (trainer, seed = 1) => trainer.step(pixels(3, seed), 3, pixels(2, seed + 50), 2);

test('open, step, layout, export, import: as the trainer', async (t) => {
  const [a, b] = [await openTrainer(), await openTrainer({ seed: 1 })];
  const report = await step(a);
  t.is(report.step, 1);
  t.is(report.tiles, 5);
  for (const name of [
    'loss',
    'adversarial',
    'cycle',
    'identity',
    'judge',
    'gradientNorm',
    'judgeGradientNorm',
  ])
    t.true(report[name] > 0, name);
  const layout = a.layout();
  for (const prefix of ['to_source.', 'to_target.', 'source_judge.', 'optimiser.to_target.', 'target_pool.'])
    t.true(
      layout.some(({ name }) => name.startsWith(prefix)),
      prefix,
    );
  const state = await exported(a);
  await b.importState(layout, state);
  t.true(same(await exported(b), state));
  t.deepEqual(await step(a, 2), await step(b, 2));
  t.true(same(await exported(a), await exported(b)));
  await throwsCode(t, () => a.exportState(new Uint8Array(bytesOf(layout) - 1)), 'STAINFOLD_SHAPE');
  await Promise.all([a.dispose(), b.dispose()]);
});

test('a translator in service: both directions, other sizes', async (t) => {
  const trainer = await openTrainer();
  const state = await exported(trainer);
  const translator = new addon.Translator({ model: MODEL, device: 'cpu', precision: 'fp32' });
  t.deepEqual(await translator.open(trainer.layout(), state), { device: 'cpu', precision: 'fp32' });
  const tiles = pixels(3);
  const [source, target] = await Promise.all(
    ['source', 'target'].map((to) => translator.translate(tiles, 3, SIDE, to)),
  );
  t.is(source.length, tiles.length);
  t.false(same(source, target));
  t.is((await translator.translate(pixels(1, 1, 20), 1, 20, 'source')).length, 20 * 20 * 3);
  await throwsCode(t, () => translator.translate(tiles, 3, SIDE, 'nowhere'), 'STAINFOLD_OPTION', /nowhere/);
  await throwsCode(t, () => translator.translate(tiles, 2, SIDE, 'source'), 'STAINFOLD_SHAPE', /pixels/);
  await throwsCode(t, () => translator.translate(pixels(1, 1, 18), 1, 18, 'source'), 'STAINFOLD_SHAPE');
  await Promise.all([translator.dispose(), trainer.dispose()]);
});

test('options and states are named in errors', async (t) => {
  await throwsCode(
    t,
    () => new addon.TranslatorTrainer(options({ cycle: Number.NaN })),
    'STAINFOLD_OPTION',
    /options\.cycle/,
  );
  const narrow = new addon.TranslatorTrainer(options({ model: { ...MODEL, judgeLayers: 5 } }));
  await throwsCode(t, () => narrow.layout(), 'STAINFOLD_STATE', /not open/);
  await throwsCode(t, () => narrow.open(), 'STAINFOLD_OPTION', /judge layers/);
  await narrow.dispose();
  const trainer = await openTrainer();
  await throwsCode(t, () => trainer.step(pixels(2), 2, pixels(2), 3), 'STAINFOLD_SHAPE', /target/);
  await throwsCode(t, () => trainer.step(pixels(2), 3, pixels(2), 2), 'STAINFOLD_SHAPE', /source/);
  await trainer.dispose();
  await throwsCode(t, () => step(trainer), 'STAINFOLD_DISPOSED', /translator trainer was disposed/);
  const empty = new addon.Translator({ model: MODEL, device: 'cpu', precision: 'fp32' });
  await throwsCode(t, () => empty.open([], new Uint8Array(0)), 'STAINFOLD_WEIGHTS', /to_source/);
  await empty.dispose();
});
