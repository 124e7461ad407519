import test from 'ava';
import picocolors from 'picocolors';
import { formatEvaluation } from '../../lib/cli/evaluation-table.js';
import { count, facts, formatBytes, formatDuration, shellQuote } from '../../lib/cli/format.js';
import { integer, number, pairs, weights } from '../../lib/cli/parse.js';
import { startProgress } from '../../lib/cli/progress.js';
import { makeEvaluation } from '../report/fixture.js';

const PLAIN = picocolors.createColors(false);
const COLOURED = picocolors.createColors(true);

test('durations', (t) => {
  t.is(formatDuration(0.0004), '0 ms');
  t.is(formatDuration(0.85), '850 ms');
  t.is(formatDuration(12.34), '12.3 s');
  t.is(formatDuration(59.97), '1 min 00 s');
  t.is(formatDuration(245), '4 min 05 s');
  t.is(formatDuration(3599.6), '1 h 00 min');
  t.is(formatDuration(7380), '2 h 03 min');
});

test('bytes', (t) => {
  t.is(formatBytes(0), '0 B');
  t.is(formatBytes(999), '999 B');
  t.is(formatBytes(1000), '1.00 kB');
  t.is(formatBytes(999_600), '1.00 MB');
  t.is(formatBytes(191_794_682), '192 MB');
});

test('counts, facts, quotes', (t) => {
  t.is(count(1, 'tile'), '1 tile');
  t.is(count(24_000, 'tile'), '24,000 tiles');
  t.is(
    facts(
      [
        ['a', '1'],
        ['long', '2'],
      ],
      PLAIN,
    ),
    'a     1\nlong  2',
  );
  t.is(shellQuote('site=UMCU'), 'site=UMCU');
  t.is(shellQuote("it's a"), "'it'\\''s a'");
});

test('parsers', (t) => {
  t.is(integer(1)('007'), 7);
  t.throws(() => integer(0)('-1'));
  t.throws(() => integer(0)('99999999999999999999'));
  t.is(number(0)('1e-3'), 0.001);
  t.throws(() => number(0)('NaN'));
  t.throws(() => number(0)('Infinity'));
  t.deepEqual(pairs('a==b', { c: 'd' }), { c: 'd', a: '=b' });
  t.throws(() => pairs('=b'));
  t.deepEqual(weights('adversarial=0', { scatter: 1 }), { scatter: 1, adversarial: 0 });
  t.throws(() => weights('adversarial=-1'));
});

test('two blocks within 100 columns: a row for each representation, intervals under it', (t) => {
  for (const paired of [false, true]) {
    const text = formatEvaluation(makeEvaluation({ paired }), PLAIN, 110);
    t.true(
      text.split('\n').every((line) => line.length <= 100),
      text,
    );
    const [invariance, transfer] = text.split('\n\n').map((block) => block.split('\n'));
    t.regex(invariance[0], /^Invariance +silhouette +neighbours +clouds/);
    t.regex(invariance[1], /dims +cos → 0 +eucl → 0 +k-NN ↓ +LISI ↑ +kBET ↓ +R² ↓ +W2² ↓ +ARI ↓$/);
    t.regex(invariance[2], /chance or range +0\.20 +1 to 5 +0\.05/);
    t.regex(transfer[0], /^Transfer +source +probe, unseen batches +other/);
    t.regex(transfer[1], /acc\. ↑ +acc\. ↑ +AUROC ↑ +F1 ↑ +ridge ↑ +k-NN ↑ +ARI ↑/);
    t.is(/top 1 ↑ +top 5 ↑$/.test(transfer[1]), paired);
    for (const block of [invariance, transfer]) {
      const rows = block.filter((line) => /^(colour|untrained|trained)/.test(line));
      t.is(rows.length, 3);
      t.is(
        block.length,
        block === invariance ? 6 : 9,
        'three lines of heading, three rows, three of intervals',
      );
      // The headings end where their numbers end.
      const end = block[1].indexOf('ARI') + 'ARI ↑'.length;
      for (const line of rows) t.regex(line.slice(0, end), /\d\.\d{3}$/);
    }
    for (const line of [4, 6, 8]) t.regex(transfer[line], /^ {17}(?: +\.\d\d–\.\d\d){7}$/);
  }
});

test('neighbours of other groups have a column, and 100 columns hold it', (t) => {
  const evaluation = makeEvaluation();
  for (const row of evaluation.rows) row.batchKnnOtherGroups = row.batchKnn / 2;
  const lines = formatEvaluation(evaluation, PLAIN, 100).split('\n');
  t.regex(lines[1], /k-NN ↓ +other ↓ +LISI ↑/);
  t.true(lines.every((line) => line.length <= 100));
});

test('a narrow terminal gets a row for each metric', (t) => {
  const text = formatEvaluation(makeEvaluation(), PLAIN, 80);
  const lines = text.split('\n');
  t.is(lines.length, 17);
  t.true(
    lines.every((line) => line.length <= 80),
    text,
  );
  t.regex(lines[0], /^ +colour +untrained +trained$/);
  t.regex(text, /^neighbours, k-NN ↓ \(chance 0\.20\) /m);
});

test('several seeds: mean and spread', (t) => {
  const evaluations = [1, 2, 3].map((seed) => makeEvaluation({ seed }));
  const text = formatEvaluation(evaluations, PLAIN, 250);
  const trained = text.split('\n').find((line) => line.startsWith('trained encoder'));
  t.regex(trained, /^trained encoder +128 +\d\.\d{3} ±\d\.\d{3} /);
});

test('without labels there are no probe columns', (t) => {
  const text = formatEvaluation(makeEvaluation({ labelled: false }), PLAIN, 200);
  t.notRegex(text, /Transfer|probe|AUROC/);
  t.regex(text, /W2²/);
});

test('the best of a column is set apart, and colours leave the widths alone', (t) => {
  const text = formatEvaluation(makeEvaluation(), COLOURED, 200);
  const ESCAPE = String.fromCharCode(27);
  const bold = `${ESCAPE}[1m`;
  t.is(
    text.split('\n').at(-2).split(bold).length - 1 > 5,
    true,
    'the trained encoder wins most columns of this fixture',
  );
  const stripped = text
    .replaceAll(new RegExp(`${ESCAPE}\\[\\d+m`, 'g'), '')
    .split('\n')
    .map((line) => line.trimEnd());
  t.deepEqual(stripped, formatEvaluation(makeEvaluation(), PLAIN, 200).split('\n'));
});

test('progress in a log: silent for a second, then a line now and then', async (t) => {
  const said = [];
  const terminal = { interactive: false, colours: { stderr: PLAIN }, note: (line) => said.push(line) };
  const progress = startProgress(terminal, 'training');
  progress.update(1, 10);
  t.deepEqual(said, []);
  await new Promise((resolve) => setTimeout(resolve, 1050));
  progress.update(5, 10, 'loss 1');
  progress.update(6, 10);
  progress[Symbol.dispose]();
  t.is(said.length, 1);
  t.regex(said[0], /^training 50% 5\/10 after 1\.\d s, loss 1$/);
});
