import test from 'ava';
import { addon, bytesOf, exported, openTrainer, pixels, SIDE, throwsCode, trainOptions } from './fixtures.js';

// Not deepEqual: it walks megabytes element by element, in tens of seconds.
const same = (a, b) => Buffer.compare(a, b) === 0;

test('stamps: in order, and the step is the same without them', async (t) => {
  const reports = [];
  for (const stamps of [null, new Float64Array(6)]) {
    const trainer = await openTrainer();
    const before = Number(process.hrtime.bigint()) / 1e6;
    reports.push(await trainer.step(pixels(4), 4, null, null, null, stamps));
    const after = Number(process.hrtime.bigint()) / 1e6;
    if (stamps) {
      const times = [before, ...stamps, after];
      t.true(
        times.slice(1).every((time, i) => time >= times[i]),
        String(times),
      );
      t.true(stamps[5] > stamps[0]);
    }
    await trainer.dispose();
  }
  t.deepEqual(reports[0], reports[1]);
});

test('open, step, layout, export', async (t) => {
  const trainer = new addon.Trainer(trainOptions());
  t.deepEqual(await trainer.open(), { device: 'cpu', precision: 'fp32' });
  const report = await trainer.step(pixels(4), 4, null, null);
  t.is(report.step, 1);
  t.is(report.tiles, 4);
  t.true(Number.isFinite(report.loss) && report.gradientNorm > 0);
  t.is(report.discriminatorChance, 1 / 4);

  const layout = trainer.layout();
  t.is(new Set(layout.map(({ name }) => name)).size, layout.length);
  for (const prefix of ['encoder.', 'decoder.', 'discriminator.', 'optimiser.']) {
    t.true(
      layout.some(({ name }) => name.startsWith(prefix)),
      prefix,
    );
  }
  t.true(layout.some(({ name, dtype }) => name === 'trainer.step' && dtype === 'I64'));
  t.true((await exported(trainer)).some((byte) => byte !== 0));
  await trainer.dispose();
});

test('calls run in the order they were made', async (t) => {
  const trainer = new addon.Trainer(trainOptions());
  const opened = trainer.open();
  const steps = [1, 2, 3].map((seed) => trainer.step(pixels(4, seed), 4, null, null));
  await opened;
  t.deepEqual(
    (await Promise.all(steps)).map(({ step }) => step),
    [1, 2, 3],
  );
  await trainer.dispose();
});

test('two trainers of one seed take the same steps to the same bytes; another seed differs', async (t) => {
  const [a, b, c] = await Promise.all([openTrainer(), openTrainer(), openTrainer({ seed: 2 })]);
  for (const seed of [1, 2]) {
    const [ra, rb] = await Promise.all([a, b, c].map((each) => each.step(pixels(4, seed), 4, null, null)));
    t.deepEqual(ra, rb);
  }
  const [ea, eb, ec] = await Promise.all([a, b, c].map(exported));
  t.true(same(ea, eb));
  t.false(same(ea, ec));
  await Promise.all([a, b, c].map((each) => each.dispose()));
});

test('a trainer that imports a state goes on as the one that exported it', async (t) => {
  const [a, b] = await Promise.all([openTrainer(), openTrainer({ seed: 1 })]);
  await a.step(pixels(4, 1), 4, null, null);
  // One byte off alignment: the bytes of a file's tensors start wherever its header ends.
  const state = await exported(a);
  const shifted = new Uint8Array(state.length + 1).subarray(1);
  shifted.set(state);
  await b.importState(a.layout(), shifted);
  t.true(same(await exported(b), state));
  const [ra, rb] = await Promise.all([a, b].map((each) => each.step(pixels(4, 2), 4, null, null)));
  t.deepEqual(ra, rb);
  t.true(same(await exported(a), await exported(b)));
  await Promise.all([a.dispose(), b.dispose()]);
});

test('real labs and groups', async (t) => {
  const trainer = await openTrainer({ realLabs: 2 });
  const labs = Int32Array.of(0, 1, 0, 1);
  const report = await trainer.step(pixels(4), 4, labs, Int32Array.of(0, 0, 1, 1));
  t.is(report.step, 1);
  await throwsCode(t, () => trainer.step(pixels(4), 4, Int32Array.of(0), null), 'STAINFOLD_SHAPE', /realLab/);
  await throwsCode(t, () => trainer.step(pixels(4), 4, labs, labs.subarray(1)), 'STAINFOLD_SHAPE', /group/);
  await throwsCode(t, () => trainer.step(pixels(4), 4, [0, 1, 0, 1], null), 'STAINFOLD_DTYPE', /Int32Array/);
  await trainer.dispose();
});

test('sizes are checked again natively', async (t) => {
  const trainer = await openTrainer();
  await throwsCode(t, () => trainer.step(pixels(4), 5, null, null), 'STAINFOLD_SHAPE', /pixels/);
  await throwsCode(t, () => trainer.step(pixels(4), 0, null, null), 'STAINFOLD_SHAPE', /pixels/);
  await throwsCode(t, () => trainer.step(pixels(4), 2 ** 52, null, null), 'STAINFOLD_SHAPE', /pixels/);
  await throwsCode(t, () => trainer.step(pixels(4), 4.5, null, null), 'STAINFOLD_OPTION', /count/);
  await throwsCode(
    t,
    () => trainer.step(new Uint16Array(12), 4, null, null),
    'STAINFOLD_DTYPE',
    /Uint8Array/,
  );
  await throwsCode(t, () => trainer.step(), 'STAINFOLD_OPTION', /count/);
  await throwsCode(t, () => trainer.step(pixels(1), 1, null, null), 'STAINFOLD_SHAPE');
  t.is((await trainer.step(pixels(4), 4, null, null)).step, 1);
  await trainer.dispose();
});

test('a state that does not fit is refused and nothing changes', async (t) => {
  const trainer = await openTrainer();
  const layout = trainer.layout();
  const before = await exported(trainer);
  const size = bytesOf(layout);
  await throwsCode(t, () => trainer.exportState(new Uint8Array(size - 1)), 'STAINFOLD_SHAPE', /bytes/);
  await throwsCode(t, () => trainer.exportState(new Float32Array(size / 4)), 'STAINFOLD_DTYPE');
  await throwsCode(t, () => trainer.importState(layout, before.subarray(1)), 'STAINFOLD_SHAPE', /bytes/);
  await throwsCode(t, () => trainer.importState(layout, new Uint8Array(size + 1)), 'STAINFOLD_SHAPE');
  const huge = [{ ...layout[0], shape: [2 ** 40, 2 ** 40] }];
  await throwsCode(t, () => trainer.importState(huge, before), 'STAINFOLD_SHAPE');
  const half = [{ ...layout[0], dtype: 'F16' }];
  await throwsCode(t, () => trainer.importState(half, before), 'STAINFOLD_WEIGHTS', /F16/);
  const renamed = layout.map((spec, i) => (i === 0 ? { ...spec, name: 'nobody' } : spec));
  await throwsCode(t, () => trainer.importState(renamed, before), 'STAINFOLD_WEIGHTS');
  t.true(same(await exported(trainer), before));
  await trainer.dispose();
});

test('options are named in errors', async (t) => {
  const make = (overrides) => () => new addon.Trainer(trainOptions(overrides));
  await throwsCode(t, make({ temperature: Number.NaN }), 'STAINFOLD_OPTION', /options\.temperature .*NaN/);
  await throwsCode(t, make({ views: 2.5 }), 'STAINFOLD_OPTION', /options\.views .*2\.5/);
  await throwsCode(t, make({ seed: -1 }), 'STAINFOLD_OPTION', /options\.seed .*-1/);
  await throwsCode(t, make({ device: 7 }), 'STAINFOLD_OPTION', /options\.device .*7/);
  await throwsCode(t, make({ compaction: 'x' }), 'STAINFOLD_OPTION', /options\.compaction .*'x'/);
  await throwsCode(
    t,
    make({ model: { size: 'tiny', latent: 16 } }),
    'STAINFOLD_OPTION',
    /options\.model\.tileSize/,
  );
  await throwsCode(t, make({ manifold: undefined }), 'STAINFOLD_OPTION', /options\.manifold .*undefined/);
});

test('what only the core can judge rejects open(), and a failed open can be disposed', async (t) => {
  const large = new addon.Trainer(trainOptions({ model: { size: 'colossal', latent: 16, tileSize: SIDE } }));
  await throwsCode(t, () => large.open(), 'STAINFOLD_OPTION', /colossal/);
  await throwsCode(t, () => large.step(pixels(4), 4, null, null), 'STAINFOLD_STATE', /not open/);
  await large.dispose();
  const elsewhere = new addon.Trainer(trainOptions({ device: 'cuda:99' }));
  await throwsCode(t, () => elsewhere.open(), 'STAINFOLD_DEVICE', /cuda:99/);
  await elsewhere.dispose();
});

// The state matrix: what each method does before open, and after dispose.
const METHODS = {
  open: (trainer) => trainer.open(),
  step: (trainer) => trainer.step(pixels(4), 4, null, null),
  layout: (trainer) => trainer.layout(),
  exportState: (trainer) => trainer.exportState(new Uint8Array(8)),
  importState: (trainer) => trainer.importState([], new Uint8Array(0)),
};

test('before open every method but open and dispose says so; open twice does too', async (t) => {
  for (const [name, call] of Object.entries(METHODS)) {
    if (name === 'open') continue;
    const trainer = new addon.Trainer(trainOptions());
    await throwsCode(t, () => call(trainer), 'STAINFOLD_STATE', /not open/);
    await trainer.dispose();
  }
  const trainer = await openTrainer();
  await throwsCode(t, () => trainer.open(), 'STAINFOLD_STATE', /open already/);
  await trainer.dispose();
});

test('after dispose every method says so, whatever its arguments; dispose is idempotent', async (t) => {
  for (const trainer of [await openTrainer(), new addon.Trainer(trainOptions())]) {
    await Promise.all([trainer.dispose(), trainer.dispose()]);
    await trainer.dispose();
    for (const call of Object.values(METHODS)) {
      await throwsCode(t, () => call(trainer), 'STAINFOLD_DISPOSED', /trainer was disposed/);
    }
    await throwsCode(t, () => trainer.step('nonsense'), 'STAINFOLD_DISPOSED');
  }
});

test('dispose lets the running call finish, drops the queued ones, and settles each once', async (t) => {
  const trainer = await openTrainer();
  const settled = [];
  const steps = Array.from({ length: 20 }, (_, i) =>
    trainer.step(pixels(4, i), 4, null, null).then(
      () => settled.push([i, 'done']),
      (error) => settled.push([i, error.code]),
    ),
  );
  await trainer.dispose();
  await Promise.all(steps);
  t.is(settled.length, 20);
  const outcomes = settled.sort(([a], [b]) => a - b).map(([, outcome]) => outcome);
  // Nothing waits between the calls and dispose(): few of the first can have run, and certainly not the last.
  const dropped = outcomes.indexOf('STAINFOLD_DISPOSED');
  t.true(dropped >= 0 && dropped < 20, String(outcomes));
  t.true(outcomes.slice(0, dropped).every((outcome) => outcome === 'done'));
  t.true(outcomes.slice(dropped).every((outcome) => outcome === 'STAINFOLD_DISPOSED'));
});
