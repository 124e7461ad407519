// The verdict is computed: it must turn with the numbers.
import test from 'ava';
import { conclude } from '../../lib/report/conclude.js';
import { bestRow, formatCell, tabulate } from '../../lib/report/table.js';
import { makeEvaluation } from './fixture.js';

const seeds = (options) => [1, 2, 3].map((seed) => makeEvaluation({ seed, ...options }));

test('clearly better with several seeds: ahead, and the numbers are those of the table', (t) => {
  const { ahead, sentence, comparisons } = conclude(seeds({ better: 0.2 }));
  t.true(ahead);
  t.is(comparisons.length, 4, 'two metrics, two baselines');
  t.true(comparisons.every(({ gain, beyondSpread }) => gain > 0 && beyondSpread));
  t.regex(sentence, /ahead in every comparison by more than the spread of 3 seeds\.$/);
  const table = tabulate(seeds({ better: 0.2 }));
  const column = table.columns.findIndex(({ key }) => key === 'probe-unseen');
  t.true(sentence.includes(`${(100 * table.rows[2].cells[column].mean).toFixed(1)} % accuracy`));
});

test('worse: not ahead, and it says so', (t) => {
  const { ahead, sentence } = conclude(seeds({ better: -0.35 }));
  t.false(ahead);
  t.regex(sentence, /it is behind in every comparison\.$/);
});

test('better in one, worse in the other', (t) => {
  const evaluations = seeds({ better: -0.2 });
  const { ahead, sentence } = conclude(evaluations);
  t.false(ahead);
  t.regex(sentence, /it is ahead in 1 of 4 comparisons and behind in 3\.$/);
});

test('a gain within the spread is no victory', (t) => {
  const evaluations = seeds({ better: 0.2 });
  // One seed in which the untrained encoder reaches what the trained one does at its worst.
  evaluations[0].rows[1].probe.unseenMean.balancedAccuracy = 0.99;
  const { ahead, sentence } = conclude(evaluations);
  t.false(ahead);
  t.regex(sentence, /in 1 of 4 comparisons within their spread\.$/);
});

test('equal is neither ahead nor behind, and no row is best', (t) => {
  const evaluation = makeEvaluation();
  evaluation.rows = evaluation.rows.map(({ name }) => ({ ...evaluation.rows[0], name }));
  t.regex(conclude(evaluation).sentence, /it is level with the baselines\.$/);
  t.false(conclude([evaluation, evaluation]).ahead);
  const table = tabulate(evaluation);
  t.deepEqual(new Set(table.columns.map((_, i) => bestRow(table, i))), new Set([-1]));
});

test('one seed: the spread is not known', (t) => {
  t.regex(conclude(makeEvaluation()).sentence, /with one seed/);
});

test('without labels the batch alone is judged; without baselines nothing is', (t) => {
  t.is(conclude(makeEvaluation({ labelled: false })).comparisons.length, 2);
  const alone = makeEvaluation();
  alone.rows = alone.rows.slice(2);
  t.deepEqual(conclude(alone).comparisons, []);
  t.false(conclude(alone).ahead);
});

test('cells: mean and sample deviation over the seeds', (t) => {
  const evaluations = [0.1, 0.2, 0.6].map((lisi) => {
    const evaluation = makeEvaluation();
    evaluation.rows[2].lisi = lisi;
    return evaluation;
  });
  const table = tabulate(evaluations);
  const cell = table.rows[2].cells[table.columns.findIndex(({ key }) => key === 'lisi')];
  t.deepEqual(cell.values, [0.1, 0.2, 0.6]);
  // (0.04 + 0.01 + 0.09) / 2 = 0.07; sums of decimals are off by an ulp or two.
  t.true(Math.abs(cell.mean - 0.3) < 1e-12);
  t.true(Math.abs(cell.spread - Math.sqrt(0.07)) < 1e-12);
  t.is(formatCell(cell, 2), '0.30 ±0.26');
});

test('formatting of cells', (t) => {
  t.is(formatCell(null, 3), '–');
  t.is(formatCell({ mean: Number.NaN, spread: null, values: [Number.NaN] }, 3), 'undefined');
  t.is(formatCell({ mean: -0.0001, spread: null, values: [-0.0001] }, 3), '0.000');
  t.is(formatCell({ mean: -0.05, spread: null, values: [-0.05] }, 3), '-0.050');
  t.is(formatCell({ mean: 128, spread: 0, values: [128, 128] }, 0), '128');
});

test('the best row follows the direction of its column', (t) => {
  const table = tabulate(makeEvaluation({ better: 0.2 }));
  const best = Object.fromEntries(table.columns.map(({ key }, i) => [key, bestRow(table, i)]));
  t.is(best.dimensions, -1);
  t.is(best['batch-knn'], 2);
  t.is(best.lisi, 2);
  const losing = tabulate(makeEvaluation({ better: -0.35 }));
  t.is(
    bestRow(
      losing,
      losing.columns.findIndex(({ key }) => key === 'batch-knn'),
    ),
    1,
  );
});

test('neighbours of other groups: a column beside, where they were asked', (t) => {
  const evaluation = makeEvaluation({ better: 0.2 });
  const at = (table) => table.columns.findIndex(({ key }) => key === 'batch-knn-other-groups');
  t.is(at(tabulate(evaluation)), -1);
  for (const row of evaluation.rows) row.batchKnnOtherGroups = row.batchKnn - 0.1;
  const table = tabulate(evaluation);
  const column = at(table);
  t.is(table.columns[column - 1].key, 'batch-knn');
  t.is(table.columns[column].chance, table.columns[column - 1].chance);
  t.is(table.rows[2].cells[column].mean, evaluation.rows[2].batchKnn - 0.1);
  t.is(bestRow(table, column), 2);
});

test('an empty list is an empty table', (t) => {
  t.deepEqual(tabulate([]), { columns: [], rows: [], seeds: 0 });
});
