import test from 'ava';
import { addon, manifold, pixels, SIDE, throwsCode } from './fixtures.js';

const tile = (overrides) => ({ tissue: 0, size: 64, mpp: 0.5, seed: 1, labs: [0, 1, 5], ...overrides });
const BYTES = 64 * 64 * 3;

test('the tissues have names', (t) => {
  t.deepEqual(addon.phantom.tissues(), ['gland', 'stroma', 'tumour', 'lymphocytes', 'fat', 'background']);
});

test('a tile under several labs, a function of its arguments alone', async (t) => {
  const [first, again] = await Promise.all([addon.phantom.render(tile()), addon.phantom.render(tile())]);
  t.is(first.length, 3 * BYTES);
  t.deepEqual(first, again);
  t.notDeepEqual(first.subarray(0, BYTES), first.subarray(BYTES, 2 * BYTES));
  const alone = await addon.phantom.render(tile({ labs: [5] }));
  t.deepEqual(alone, first.slice(2 * BYTES));
  t.notDeepEqual(await addon.phantom.render(tile({ seed: 2 })), first);
});

test('every lab of the prior', async (t) => {
  const drawn = await addon.renderManifold({ ...manifold, seed: 1 }, pixels(2), 2, SIDE);
  const lab = 2 * SIDE * SIDE * 3;
  t.is(drawn.length, 4 * lab);
  t.notDeepEqual(drawn.subarray(0, lab), drawn.subarray(lab, 2 * lab));
  await throwsCode(
    t,
    () => addon.renderManifold({ ...manifold, seed: 1 }, pixels(2), 3, SIDE),
    'STAINFOLD_SHAPE',
    /pixels/,
  );
});
