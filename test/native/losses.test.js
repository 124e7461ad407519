// The losses by themselves, against the formula in plain loops.
import test from 'ava';
import { addon, throwsCode } from './fixtures.js';

const ROWS = 12;
const COLUMNS = 5;
const TILES = 6;
const TEMPERATURE = 0.3;

const z = Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => Math.sin(3 * i + 1) + 0.2 * Math.cos(i));
const options = { tiles: TILES, temperature: TEMPERATURE, device: 'cpu', repeats: 2 };
const matrix = { data: z, rows: ROWS, columns: COLUMNS };

/** native/include/stainfold/losses.h, in float64. */
function expected(values) {
  const unit = Array.from({ length: ROWS }, (_, r) => {
    const row = Array.from(values.slice(r * COLUMNS, (r + 1) * COLUMNS));
    const norm = Math.hypot(...row);
    return row.map((value) => value / norm);
  });
  const s = (i, j) =>
    -unit[i].reduce((sum, value, c) => sum + (value - unit[j][c]) ** 2, 0) / (2 * TEMPERATURE);
  let loss = 0;
  for (let i = 0; i < ROWS; i++) {
    const others = [...Array(ROWS).keys()].filter((j) => j !== i);
    const own = others.filter((j) => j % TILES === i % TILES);
    loss += Math.log(others.reduce((sum, j) => sum + Math.exp(s(i, j)), 0));
    loss -= own.reduce((sum, j) => sum + s(i, j), 0) / own.length;
  }
  return loss / ROWS;
}

test('the loss and its gradient are the formula', async (t) => {
  const { loss, gradient, seconds, allocatedPeak } = await addon.losses.compaction(matrix, options);
  const exact = Float64Array.from(z);
  t.true(Math.abs(loss - expected(exact)) < 1e-5, `${loss}, ${expected(exact)}`); // float32
  t.is(gradient.length, z.length);
  for (const i of [0, 7, 33, 59]) {
    const step = 1e-5;
    const moved = (by) => expected(exact.with(i, exact[i] + by));
    const slope = (moved(step) - moved(-step)) / (2 * step);
    t.true(Math.abs(gradient[i] - slope) < 1e-5, `${i}: ${gradient[i]}, ${slope}`);
  }
  t.is(seconds.length, 2);
  t.true(seconds.every((value) => value > 0));
  t.is(allocatedPeak, 0);
});

test('what does not fit is refused', async (t) => {
  await throwsCode(t, () => addon.losses.compaction(matrix, { ...options, tiles: 7 }), 'STAINFOLD_SHAPE');
  await throwsCode(t, () => addon.losses.compaction(matrix, { ...options, repeats: 0 }), 'STAINFOLD_OPTION');
  await throwsCode(
    t,
    () => addon.losses.compaction(matrix, { ...options, temperature: 0 }),
    'STAINFOLD_OPTION',
  );
  await throwsCode(
    t,
    () => addon.losses.compaction(matrix, { ...options, device: 'tpu' }),
    'STAINFOLD_DEVICE',
  );
  const wide = { ...matrix, data: Float64Array.from(z) };
  await throwsCode(t, () => addon.losses.compaction(wide, options), 'STAINFOLD_DTYPE');
});
