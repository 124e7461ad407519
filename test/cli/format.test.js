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

test('the table has a row for each representation, columns aligned', (t) => {
  const lines = formatEvaluation(makeEvaluation(), PLAIN, 200).split('\n');
  t.is(lines.length, 6);
  t.regex(lines[0], /silhouette .*batch .*probe, source .*probe, unseen batches/);
  t.regex(
    lines[1],
    /dims +cosine → 0 +euclidean → 0 +k-NN acc\. ↓ +LISI ↑ +W2²\/dim ↓ +bal\. acc\. ↑ +bal\. acc\. ↑ +AUROC ↑ +F1 ↑/,
  );
  t.regex(lines[2], /chance 0\.20 +1 to 5 +chance 0\.33/);
  t.deepEqual(
    lines.slice(3).map((line) => line.slice(0, 17)),
    ['colour statistics', 'untrained encoder', 'trained encoder  '],
  );
  t.is(new Set(lines.slice(3).map((line) => line.length)).size, 1);
  // The headings end where their numbers end.
  const end = lines[1].indexOf('AUROC ↑') + 'AUROC ↑'.length;
  for (const line of lines.slice(3)) t.regex(line.slice(0, end), /\d\.\d{3}$/);
});

test('a narrow terminal gets a row for each metric', (t) => {
  const text = formatEvaluation(makeEvaluation(), PLAIN, 80);
  const lines = text.split('\n');
  t.is(lines.length, 11);
  t.true(
    lines.every((line) => line.length <= 80),
    text,
  );
  t.regex(lines[0], /^ +colour +untrained +trained$/);
  t.regex(text, /^batch, k-NN acc\. ↓ \(chance 0\.20\) /m);
});

test('several seeds: mean and spread', (t) => {
  const evaluations = [1, 2, 3].map((seed) => makeEvaluation({ seed }));
  const text = formatEvaluation(evaluations, PLAIN, 250);
  const trained = text.split('\n').at(-1);
  t.regex(trained, /^trained encoder +128 +\d\.\d{3} ±\d\.\d{3} /);
});

test('without labels there are no probe columns', (t) => {
  const text = formatEvaluation(makeEvaluation({ labelled: false }), PLAIN, 200);
  t.notRegex(text, /probe|AUROC/);
  t.regex(text, /W2²\/dim/);
});

test('the best of a column is set apart, and colours leave the widths alone', (t) => {
  const text = formatEvaluation(makeEvaluation(), COLOURED, 200);
  const ESCAPE = String.fromCharCode(27);
  const bold = `${ESCAPE}[1m`;
  t.is(
    text.split('\n').at(-1).split(bold).length - 1 > 5,
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
