// The page: whole, escaped, self-contained, readable without eyes.
import test from 'ava';
import { spread } from '../../lib/report/charts.js';
import { escapeHtml, html } from '../../lib/report/html.js';
import { renderReport } from '../../lib/report/page.js';
import { makeEvaluation, makeModel, makeTraining } from './fixture.js';

const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const HOSTILE = `<script>alert("x")</script>&'`;

function tiles(label = 'gland') {
  return ['lab-0', 'lab-1'].map((batch) => ({
    file: `${batch}/1.png`,
    batch,
    label,
    original: { mime: 'image/png', data: PIXEL },
    reconstruction: { mime: 'image/png', data: PIXEL },
  }));
}

function full(overrides = {}) {
  return renderReport({
    evaluation: [1, 2, 3].map((seed) => makeEvaluation({ seed })),
    model: makeModel(),
    source: 'lab-0',
    command: 'stainfold evaluate tiles --report report.html',
    facts: { Duration: '4 min' },
    tiles: tiles(),
    training: makeTraining(),
    created: new Date('2026-01-02T00:00:00Z'),
    ...overrides,
  });
}

/** Start and end tags in order. Enough of a parser for pages without scripts and CDATA. */
function unbalanced(markup) {
  const VOID = new Set(['meta', 'img', 'br', 'hr', 'input', 'link']);
  const open = [];
  const body = markup.replace(/<style>[\s\S]*?<\/style>/, '').replace(/^<!doctype html>/, '');
  for (const [, close, name, rest] of body.matchAll(
    /<(\/?)([a-zA-Z][\w-]*)((?:\s+[\w:-]+(?:="[^"<]*")?)*\s*\/?)>/g,
  )) {
    if (VOID.has(name) || rest.endsWith('/')) continue;
    if (!close) open.push(name);
    else if (open.pop() !== name) return `</${name}> closes nothing`;
  }
  if (body.replace(/<\/?[a-zA-Z][^<>]*>/g, '').includes('<')) return 'a bare <';
  return open.length === 0 ? null : `<${open.at(-1)}> is never closed`;
}

test('the comparator sees a page that is broken', (t) => {
  t.is(unbalanced('<p><b>x</b></p>'), null);
  t.truthy(unbalanced('<p><b>x</p></b>'));
  t.truthy(unbalanced('<p>'));
  t.truthy(unbalanced('<p>1 < 2</p>'));
});

test('sections, in order, in well-formed markup', async (t) => {
  const page = await full();
  t.is(unbalanced(page), null);
  t.deepEqual(
    [...page.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, title]) => title),
    [
      'What came out',
      'The embedding, before and after',
      'Tiles and their reconstructions',
      'Batch by batch',
      'Training',
      'What was run',
      'How to read this',
    ],
  );
  for (const text of ['stainfold evaluate tiles', 'a'.repeat(64), 'LibTorch 2.13.0', '4 min', '2026-01-02']) {
    t.true(page.includes(text), text);
  }
  t.true(page.length < 3e6, `${page.length} characters`);
});

test('nothing is loaded from anywhere', async (t) => {
  const page = await full();
  t.deepEqual(page.match(/(?:https?:)?\/\/[\w.-]+/g), null);
  t.notRegex(page, /<(?:script|link|iframe|object|embed)\b/);
  t.notRegex(page, /@import|url\(/);
  for (const [, source] of page.matchAll(/\bsrc="([^"]*)"/g))
    t.true(source.startsWith('data:image/png;base64,'));
});

test('every picture has a text', async (t) => {
  const page = await full();
  const images = [...page.matchAll(/<img\b[^>]*>/g)].map(([tag]) => tag);
  t.is(images.length, 4);
  for (const tag of images) t.regex(tag, /\balt="[^"]{10,}"/);
  const charts = [...page.matchAll(/<svg\b[^>]*>/g)].map(([tag]) => tag);
  t.is(charts.length, 3 + 3 + 1 + 4, 'by batch, by label, intervals, training');
  for (const tag of charts) t.regex(tag, /role="img" aria-label="[^"]{10,}"/);
});

test('text from the data is escaped wherever it appears', async (t) => {
  const evaluation = makeEvaluation();
  evaluation.batchColumn = HOSTILE;
  evaluation.labelColumn = HOSTILE;
  evaluation.rows[0].name = HOSTILE;
  evaluation.scatter = { [HOSTILE]: evaluation.scatter['colour statistics'] };
  evaluation.batches = { [HOSTILE]: 10, ...evaluation.batches };
  evaluation.labels = { [HOSTILE]: 10, ...evaluation.labels };
  evaluation.unreadable = [{ file: HOSTILE, reason: HOSTILE }];
  const model = makeModel();
  model.options[HOSTILE] = HOSTILE;
  const page = await full({
    evaluation,
    model,
    title: HOSTILE,
    command: HOSTILE,
    source: HOSTILE,
    facts: { [HOSTILE]: HOSTILE },
    tiles: tiles(HOSTILE).map((tile) => ({ ...tile, batch: HOSTILE, file: HOSTILE })),
  });
  t.notRegex(page, /<script/i);
  t.true(page.includes('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;'));
  t.is(unbalanced(page), null);
});

test('what is absent gives no section', async (t) => {
  const page = await renderReport({ evaluation: makeEvaluation({ labelled: false }) });
  t.is(unbalanced(page), null);
  t.notRegex(page, /Batch by batch|<h2>Training|<h2>Tiles|undefined|null/);
  t.regex(page, /What came out/);
});

test('intervals: under the values of one evaluation, and as whiskers', async (t) => {
  const evaluation = makeEvaluation({ paired: true });
  const page = await full({ evaluation });
  const { balancedAccuracy } = evaluation.rows[2].probe.unseenMean.intervals;
  t.true(page.includes(balancedAccuracy.map((end) => end.toFixed(2)).join('–')));
  t.regex(page, /1000 resamples of whole slides/);
  t.regex(page, /Transfer: what should be/);
  evaluation.bootstrap.unit = 'tile';
  evaluation.rows[0].probe.unseen['lab-1'].intervals = null;
  const alone = await full({ evaluation });
  t.regex(alone, /resamples of tiles, too narrow where tiles share a slide/);
  t.is(unbalanced(alone), null);
});

test('unreadable files: ten are listed, all are counted', async (t) => {
  const evaluation = makeEvaluation();
  evaluation.unreadable = Array.from({ length: 12 }, (_, i) => ({
    file: `bad-${i}.png`,
    reason: 'truncated',
  }));
  const page = await full({ evaluation });
  t.regex(page, /12 could not be read/);
  t.true(page.includes('bad-9.png'));
  t.false(page.includes('bad-10.png'));
});

test('a large evaluation stays a small page', async (t) => {
  const page = await full({
    evaluation: makeEvaluation({ tilesPerBatch: 4000 }),
    training: makeTraining(20_000),
  });
  t.true(page.length < 1.5e6, `${page.length} characters`);
});

test('the same data give the same page', async (t) => {
  t.is(await full(), await full());
});

test('points are drawn from everywhere, once, and not in order', (t) => {
  const chosen = spread(10_000, 600);
  t.is(new Set(chosen).size, 600);
  for (let tenth = 0; tenth < 10; tenth++) {
    const inside = chosen.filter((i) => Math.floor(i / 1000) === tenth).length;
    t.is(inside, 60);
  }
  t.notDeepEqual(
    chosen,
    [...chosen].sort((a, b) => a - b),
  );
  // Labels that take turns are all met, about as often as they occur.
  for (const turns of [2, 3, 5, 6]) {
    const met = Array.from(
      { length: turns },
      (_, label) => spread(6_000, 600).filter((i) => i % turns === label).length,
    );
    t.true(Math.min(...met) > 600 / turns / 2, `of ${turns} labels: ${met}`);
  }
  t.deepEqual(spread(3, 600).sort(), [0, 1, 2]);
  t.deepEqual(spread(0, 600), []);
});

test('templates escape, nest and join', (t) => {
  t.is(escapeHtml(`<a href="x">'&`), '&lt;a href=&quot;x&quot;&gt;&#39;&amp;');
  const inner = html`<b>${'<'}</b>`;
  t.is(html`${[inner, inner]}${null}${false}${0}`.markup, '<b>&lt;</b><b>&lt;</b>0');
});
