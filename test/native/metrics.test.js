import test from 'ava';
import { addon, pixels, throwsCode } from './fixtures.js';

const { metrics } = addon;

// Two tight pairs on a line: |a-b| = 1 within, 9 to 11 between.
const line = () => ({ data: Float64Array.of(0, 1, 10, 11), rows: 4, columns: 1 });
const pairs = () => Int32Array.of(0, 0, 1, 1);

test('silhouette of two pairs', async (t) => {
  const samples = await metrics.silhouette(line(), pairs(), 'euclidean');
  t.true(samples instanceof Float64Array);
  // (b - a) / max(a, b) by hand: a = 1, b = mean distance to the other pair, 10.5 or 9.5.
  const expected = [9.5 / 10.5, 8.5 / 9.5, 8.5 / 9.5, 9.5 / 10.5];
  samples.forEach((value, i) => {
    t.true(Math.abs(value - expected[i]) < 1e-12, `${i}: ${value}`); // float64, a handful of operations
  });
});

test('float32 and float64 matrices agree where both are exact', async (t) => {
  const single = { ...line(), data: Float32Array.from(line().data) };
  t.deepEqual(
    await metrics.silhouette(single, pairs(), 'euclidean'),
    await metrics.silhouette(line(), pairs(), 'euclidean'),
  );
});

test('nearest neighbours see direction only', async (t) => {
  const z = { data: Float32Array.of(1, 0, 9, 1, 0, 1, 1, 9), rows: 4, columns: 2 };
  const predicted = await metrics.knnPredict(z, pairs(), 1);
  t.true(predicted instanceof Int32Array);
  t.deepEqual([...predicted], [0, 0, 1, 1]);
});

test('LISI of unmixed neighbourhoods is 1', async (t) => {
  const z = { data: Float32Array.of(1, 0, 9, 1, 0, 1, 1, 9), rows: 4, columns: 2 };
  t.true(Math.abs((await metrics.lisi(z, pairs(), 1)) - 1) < 1e-12);
});

test('Frechet distance of a shifted sample is the shift squared', async (t) => {
  const a = { data: Float64Array.of(0, 0, 1, 0, 0, 1, 1, 1), rows: 4, columns: 2 };
  const b = { ...a, data: a.data.map((value, i) => value + (i % 2 === 0 ? 3 : 4)) };
  // The covariances are equal; the matrix square root leaves rounding only.
  t.true(Math.abs((await metrics.frechetDistance(a, b)) - 25) < 1e-9);
});

test('scores of labels', (t) => {
  const truth = Int32Array.of(0, 0, 1, 1);
  const predicted = Int32Array.of(0, 1, 1, 1);
  t.is(metrics.accuracy(predicted, truth), 0.75);
  t.is(metrics.balancedAccuracy(predicted, truth), 0.75);
  t.true(Math.abs(metrics.f1Binary(predicted, truth) - 0.8) < 1e-12);
  t.true(Math.abs(metrics.f1Macro(predicted, truth) - (0.8 + 2 / 3) / 2) < 1e-12);
  t.is(metrics.adjustedRandIndex(truth, Int32Array.of(5, 5, 2, 2)), 1);
  t.is(metrics.auroc(Float64Array.of(0.1, 0.4, 0.35, 0.8), Uint8Array.of(0, 0, 1, 1)), 0.75);
  t.true(Number.isNaN(metrics.auroc(Float64Array.of(1, 2), Uint8Array.of(1, 1))));
});

test('a linear probe separates what is separable', async (t) => {
  const unseen = { data: Float64Array.of(-1, 12), rows: 2, columns: 1 };
  const probabilities = await metrics.linearProbe(line(), pairs(), unseen, 1);
  t.is(probabilities.length, 4);
  t.true(probabilities[0] > 0.5 && probabilities[3] > 0.5);
  t.true(Math.abs(probabilities[0] + probabilities[1] - 1) < 1e-12);
});

test('principal components order by spread', async (t) => {
  const z = { data: Float64Array.of(-2, 1, 2, 1, -2, -1, 2, -1), rows: 4, columns: 2 };
  const projected = await metrics.principalComponents(z, 1);
  t.deepEqual([...projected].map(Math.round), [-2, 2, -2, 2]);
});

test('colour statistics: mean of each channel first', async (t) => {
  const grey = new Uint8Array(2 * 4 * 5 * 3).fill(100);
  const statistics = await metrics.colourStatistics(grey, 2, 4, 5);
  t.is(statistics.length, 60);
  t.deepEqual(statistics.slice(0, 30), statistics.slice(30));
});

test('one search: what the neighbours say', async (t) => {
  const z = { data: Float32Array.of(1, 0, 9, 1, 0, 1, 1, 9), rows: 4, columns: 2 };
  const { predicted, predictedOtherGroups, lisi, kbet } = await metrics.neighbourScores(z, pairs(), 1, null);
  t.is(predictedOtherGroups, null);
  t.deepEqual(predicted, await metrics.knnPredict(z, pairs(), 1));
  t.is(lisi, 1);
  // One neighbour, expected half of each: chi-square is 1, p 0.32.
  t.is(kbet, 0);
  // Rows 0 and 1 of one group, rows 2 and 3 of another: each finds the label of the others.
  const grouped = await metrics.neighbourScores(z, pairs(), 1, pairs());
  t.deepEqual(grouped.predicted, predicted);
  t.deepEqual(
    [...grouped.predictedOtherGroups],
    [...pairs()].map((label) => 1 - label),
  );
});

test('variance between two pairs on a line', async (t) => {
  // Means 0.5 and 10.5: between 4 * 5^2 = 100 of 101 in all; F = 100 / (1 / 2).
  const { r2, f, p, units } = await metrics.permanova(line(), pairs(), null, 99, 1);
  t.true(Math.abs(r2 - 100 / 101) < 1e-12 && Math.abs(f - 200) < 1e-9);
  t.true(p >= 0.01 && p <= 1);
  t.is(units, 4);
  t.is((await metrics.permanova(line(), pairs(), Int32Array.of(3, 3, 8, 8), 0, 1)).units, 2);
});

test('k-means, ridge and k-NN probes on two pairs', async (t) => {
  const clusters = await metrics.kmeans(line(), 2, 1);
  t.is(metrics.adjustedRandIndex(clusters, pairs()), 1);
  const unseen = { data: Float64Array.of(-1, 12), rows: 2, columns: 1 };
  const [near, , , far] = await metrics.ridgeProbe(line(), pairs(), unseen, 1);
  t.true(near > 0 && far > 0);
  // By angle: -1 lies opposite to all, so the row at the origin (no angle) is its nearest.
  const shares = await metrics.knnProbe(line(), pairs(), unseen, 4);
  t.deepEqual([...shares], [0.5, 0.5, 0.5, 0.5]);
});

test('retrieval from each batch to the other', async (t) => {
  const z = { data: Float32Array.of(1, 0, 0, 1, 1, 0.1, 1, 0.2), rows: 4, columns: 2 };
  const found = await metrics.retrieve(z, pairs(), Int32Array.of(0, 1, 0, 1));
  t.deepEqual([...found.queries], [0, 2, 2, 0]);
  t.deepEqual([...found.gallery], [0, 2, 2, 0]);
  t.deepEqual([...found.top1], [0, 2, 1, 0], 'the last row points more to the first than to its own');
  t.deepEqual([...found.top5], [0, 2, 2, 0]);
});

test('resamples of two clusters hold both, or one of them twice', async (t) => {
  const scores = { data: Float64Array.of(0.9, 0.1, 0.2, 0.8, 0.4, 0.6, 0.3, 0.7), rows: 4, columns: 2 };
  const truth = Int32Array.of(0, 1, 0, 1);
  const samples = await metrics.bootstrapScores(scores, truth, pairs(), 50, 1);
  t.is(samples.length, 150);
  const met = new Set(samples.filter((_, i) => i % 3 === 0));
  t.deepEqual([...met].sort(), [0.5, 0.75, 1]);
  const index = await metrics.bootstrapRandIndex(truth, truth, pairs(), 9, 1);
  t.true(index.every((value) => value === 1));
});

test('arguments that do not fit', async (t) => {
  const short = { ...line(), rows: 5 };
  await throwsCode(
    t,
    () => metrics.silhouette(short, Int32Array.of(0, 0, 1, 1, 1), 'cosine'),
    'STAINFOLD_SHAPE',
  );
  await throwsCode(
    t,
    () => metrics.silhouette(line(), Int32Array.of(0, 1), 'cosine'),
    'STAINFOLD_SHAPE',
    /labels/,
  );
  await throwsCode(
    t,
    () => metrics.silhouette(line(), pairs(), 'manhattan'),
    'STAINFOLD_OPTION',
    /manhattan/,
  );
  await throwsCode(
    t,
    () => metrics.silhouette(line(), [0, 0, 1, 1], 'cosine'),
    'STAINFOLD_DTYPE',
    /Int32Array/,
  );
  await throwsCode(
    t,
    () => metrics.knnPredict(line(), pairs(), 0),
    'STAINFOLD_OPTION',
    /k must be at least 1/,
  );
  await throwsCode(
    t,
    () => metrics.permanova(line(), pairs(), Int32Array.of(1), 9, 1),
    'STAINFOLD_SHAPE',
    /groups/,
  );
  await throwsCode(t, () => metrics.kmeans(line(), 5, 1), 'STAINFOLD_OPTION', /clusters/);
  await throwsCode(t, () => metrics.retrieve(line(), pairs(), Int32Array.of(1)), 'STAINFOLD_SHAPE', /pairs/);
  await throwsCode(
    t,
    () => metrics.bootstrapScores(line(), pairs(), pairs(), 9, 1),
    'STAINFOLD_OPTION',
    /classes/,
  );
  await throwsCode(t, () => metrics.accuracy(pairs(), Int32Array.of(1)), 'STAINFOLD_SHAPE');
  await throwsCode(t, () => metrics.colourStatistics(pixels(1), 2, 32, 32), 'STAINFOLD_SHAPE', /pixels/);
  await throwsCode(t, () => metrics.colourStatistics(pixels(1), -1, -32, 32), 'STAINFOLD_SHAPE', /pixels/);
});
