import test from 'ava';
import { addon, exported, model, openTrainer, pixels, SIDE, throwsCode } from './fixtures.js';

const NOTHING = new Uint8Array(0);
const options = (overrides = {}) => ({ model, device: 'cpu', precision: 'fp32', seed: 1, ...overrides });

async function openEmbedder(specs = [], data = NOTHING, overrides = {}) {
  const embedder = new addon.Embedder(options(overrides));
  const opened = await embedder.open(specs, data);
  return { embedder, opened };
}

test('a trained state is served: encoder and decoder', async (t) => {
  const trainer = await openTrainer();
  await trainer.step(pixels(4), 4, null, null);
  const { embedder, opened } = await openEmbedder(trainer.layout(), await exported(trainer));
  await trainer.dispose();
  t.deepEqual(opened, { device: 'cpu', precision: 'fp32', hasDecoder: true, hasOutliers: false });

  const z = await embedder.embed(pixels(3), 3);
  t.true(z instanceof Float32Array);
  t.is(z.length, 3 * 16);
  t.true(z.every(Number.isFinite));

  const drawn = await embedder.reconstruct(pixels(3), 3);
  t.true(drawn instanceof Uint8Array);
  t.is(drawn.length, 3 * SIDE * SIDE * 3);
  await embedder.dispose();
});

test('resident tiles are timed, and nothing else changes', async (t) => {
  const { embedder } = await openEmbedder();
  const before = await embedder.embed(pixels(2), 2);
  const seconds = await embedder.secondsResident(pixels(2), 2, 3);
  t.true(seconds > 0 && seconds < 60, `${seconds}`);
  t.deepEqual(await embedder.embed(pixels(2), 2), before);
  await throwsCode(t, () => embedder.secondsResident(pixels(2), 2, 0), 'STAINFOLD_OPTION');
  await embedder.dispose();
});

test('results are memory of their own', async (t) => {
  const { embedder } = await openEmbedder();
  const [first, second] = await Promise.all([embedder.embed(pixels(2), 2), embedder.embed(pixels(2), 2)]);
  t.deepEqual(first, second);
  t.not(first.buffer, second.buffer);
  first.fill(0);
  t.notDeepEqual(first, second);
  structuredClone(second, { transfer: [second.buffer] }); // an external buffer would be refused
  await embedder.dispose();
});

test('tiles in several arrays are what they are in one', async (t) => {
  const { embedder } = await openEmbedder();
  const all = pixels(5);
  const bytes = 3 * SIDE * SIDE;
  const expected = await embedder.embed(all, 5);
  const lists = {
    'side by side in memory': [all.subarray(0, 2 * bytes), all.subarray(2 * bytes)],
    'each its own memory': [0, 1, 2, 3, 4].map((i) => all.slice(i * bytes, (i + 1) * bytes)),
    'runs of different length': [
      all.slice(0, 3 * bytes),
      all.slice(3 * bytes, 4 * bytes),
      all.slice(4 * bytes),
    ],
  };
  for (const [what, list] of Object.entries(lists))
    t.deepEqual(await embedder.embed(list, 5), expected, what);
  // Its memory for gathering grows and is used again: a smaller batch must not see the larger one's tiles.
  const [, ...rest] = lists['each its own memory'];
  t.deepEqual(await embedder.embed(rest, 4), await embedder.embed(all.slice(bytes), 4));
  const stamps = new Float64Array(3);
  const before = Number(process.hrtime.bigint()) / 1e6;
  t.deepEqual(await embedder.embed(lists['each its own memory'], 5, stamps), expected);
  const after = Number(process.hrtime.bigint()) / 1e6;
  t.true(
    before <= stamps[0] && stamps[0] <= stamps[1] && stamps[1] < stamps[2] && stamps[2] <= after,
    String(stamps),
  );
  for (const [list, count] of [
    [[], 0],
    [[], 1],
    [[all.slice(0, bytes)], 2],
    [[all.slice(0, bytes - 1)], 1],
    [[all.slice(0, bytes), new Uint8Array(0)], 1],
  ]) {
    await throwsCode(t, () => embedder.embed(list, count), 'STAINFOLD_SHAPE');
  }
  await throwsCode(t, () => embedder.embed([new Float32Array(bytes)], 1), 'STAINFOLD_DTYPE');
  await embedder.dispose();
});

test('random weights are a function of the seed', async (t) => {
  const embed = async (seed) => {
    const { embedder } = await openEmbedder([], NOTHING, { seed });
    const z = await embedder.embed(pixels(2), 2);
    await embedder.dispose();
    return z;
  };
  t.deepEqual(await embed(1), await embed(1));
  t.notDeepEqual(await embed(1), await embed(2));
});

test('weights without a decoder embed and refuse to draw', async (t) => {
  const trainer = await openTrainer();
  const layout = trainer.layout();
  const state = await exported(trainer);
  await trainer.dispose();
  const sizes = { F64: 8, F32: 4, I64: 8 };
  const parts = [];
  let offset = 0;
  for (const spec of layout) {
    const bytes = sizes[spec.dtype] * spec.shape.reduce((a, b) => a * b, 1);
    if (spec.name.startsWith('encoder.')) parts.push({ spec, data: state.subarray(offset, offset + bytes) });
    offset += bytes;
  }
  const { embedder, opened } = await openEmbedder(
    parts.map(({ spec }) => spec),
    Buffer.concat(parts.map(({ data }) => data)),
  );
  t.false(opened.hasDecoder);
  t.is((await embedder.embed(pixels(1), 1)).length, 16);
  await throwsCode(t, () => embedder.reconstruct(pixels(1), 1), 'STAINFOLD_STATE');
  await embedder.dispose();
});

test('weights that do not fit', async (t) => {
  const spec = { name: 'encoder.nobody', dtype: 'F32', shape: [2] };
  await throwsCode(t, () => openEmbedder([spec], new Uint8Array(8)), 'STAINFOLD_WEIGHTS');
  await throwsCode(t, () => openEmbedder([spec], new Uint8Array(7)), 'STAINFOLD_SHAPE');
  await throwsCode(
    t,
    () => openEmbedder([{ ...spec, shape: 2 }], new Uint8Array(8)),
    'STAINFOLD_OPTION',
    /shape/,
  );
});

test('states and sizes', async (t) => {
  const closed = new addon.Embedder(options());
  await throwsCode(t, () => closed.embed(pixels(1), 1), 'STAINFOLD_STATE', /not open/);
  await closed.dispose();

  const { embedder } = await openEmbedder();
  await throwsCode(t, () => embedder.open([], NOTHING), 'STAINFOLD_STATE', /open already/);
  await throwsCode(t, () => embedder.embed(pixels(1), 2), 'STAINFOLD_SHAPE', /pixels/);
  await throwsCode(t, () => embedder.embed(NOTHING, 0), 'STAINFOLD_SHAPE', /pixels/);
  await throwsCode(t, () => embedder.embed(new Float32Array(SIDE * SIDE * 3), 1), 'STAINFOLD_DTYPE');

  const queued = Array.from({ length: 6 }, () => embedder.embed(pixels(8), 8));
  const outcomes = Promise.allSettled(queued);
  await Promise.all([embedder.dispose(), embedder.dispose()]);
  for (const outcome of await outcomes) {
    if (outcome.status === 'rejected') t.is(outcome.reason.code, 'STAINFOLD_DISPOSED');
  }
  t.is((await outcomes).at(-1).status, 'rejected');
  for (const call of [
    () => embedder.open([], NOTHING),
    () => embedder.embed(pixels(1), 1),
    () => embedder.reconstruct(pixels(1), 1),
  ]) {
    await throwsCode(t, call, 'STAINFOLD_DISPOSED', /encoder was disposed/);
  }
});
