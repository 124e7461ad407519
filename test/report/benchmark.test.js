// The benchmark's table and conclusion from planted numbers: they must turn with them.
import test from 'ava';
import { concludeBenchmark } from '../../lib/report/benchmark-conclude.js';
import { renderBenchmarkReport } from '../../lib/report/benchmark-page.js';
import { chanceOf, compareRows, summariseRows } from '../../lib/report/benchmark-summary.js';
import { benchmarkMarkdown, benchmarkTables } from '../../lib/report/benchmark-table.js';

const TITLES = {
  none: 'Autoencoder',
  macenko: 'Macenko',
  lmc: 'LMC',
  'lmc-no-adversary': 'LMC, no adversary',
};
const SEEDS = [1, 2, 3];

/** `site` and `probe` are the means; seeds lie 0.01 apart, intervals 0.03 to either side. */
function runsOf(row, { site, probe, silhouette = 0.02, otherSlides }) {
  return SEEDS.map((seed) => {
    const at = (value) => value + 0.01 * (seed - 2);
    const sites = (count, knn) => ({
      sites: count,
      chance: 1 / count,
      knn,
      ...(otherSlides !== undefined && { knnOtherGroups: otherSlides }),
      silhouette: { euclidean: 0.01, cosine: silhouette },
      lisi: 2,
      kbet: 0.5,
      w2: 0.1,
    });
    const value = at(probe);
    const score = {
      tiles: 100,
      balancedAccuracy: value,
      macroF1: value,
      auroc: value,
      intervals: Object.fromEntries(
        ['balancedAccuracy', 'macroF1', 'auroc'].map((key) => [key, [value - 0.03, value + 0.03]]),
      ),
    };
    return {
      row,
      seed,
      status: 'done',
      seconds: { tiles: 1, training: 60, embedding: 2, scoring: 1 },
      scores: {
        dimensions: 128,
        all: sites(4, at(site)),
        unseen: sites(3, at(site)),
        probe: { source: 'A', penalty: 1, withinSource: score, unseen: {}, unseenMean: score },
        probeChance: 0.5,
      },
    };
  });
}

function resultsOf(planted, extra = []) {
  const runs = [...Object.entries(planted).flatMap(([row, numbers]) => runsOf(row, numbers)), ...extra];
  const rows = summariseRows(
    [...new Set(runs.map(({ row }) => row))].map((row) => ({
      row,
      title: TITLES[row] ?? row,
      needsTargetImages: row === 'cyclegan',
    })),
    runs,
  );
  const comparisons = compareRows(runs);
  const metric = (key, better) => ({ key, title: key, better, about: key, chance: chanceOf(key, runs) });
  return {
    config: { batchColumn: 'site', source: 'A', labelColumn: 'label', groupColumn: 'slide', seeds: SEEDS },
    sites: { A: 10, B: 10, C: 10, D: 10 },
    labels: { x: 20, y: 20 },
    tileSize: 32,
    dataDigest: '0123456789abcdef0123',
    versions: { stainfold: '0.0.0', libtorch: '2.13.0', node: '20.0.0' },
    machine: { cpu: 'a processor', cores: 2, memoryBytes: 1e9, device: 'cpu', precision: 'fp32' },
    created: '2026-01-01T00:00:00.000Z',
    seconds: 7200,
    metrics: [
      metric('knn-unseen', 'lower'),
      metric('silhouette-cosine', 'nearer zero'),
      metric('probe-unseen', 'higher'),
    ],
    rows,
    comparisons,
    claims: concludeBenchmark({
      rows,
      comparisons,
      siteChance: chanceOf('knn-unseen', runs),
      probeChance: chanceOf('probe-unseen', runs),
      batchColumn: 'site',
      labelColumn: 'label',
      seeds: SEEDS.length,
    }),
    runs,
  };
}

const GOOD = {
  none: { site: 0.6, probe: 0.6 },
  macenko: { site: 0.55, probe: 0.62 },
  lmc: { site: 0.4, probe: 0.75 },
  'lmc-no-adversary': { site: 0.45, probe: 0.7 },
};
const claim = ({ claims }, name) => claims.find((candidate) => candidate.name === name);

test('LMC wins: every claim holds, with the numbers of the table', (t) => {
  const results = resultsOf(GOOD);
  t.deepEqual(
    results.claims.map(({ name, holds }) => [name, holds]),
    [
      ['site-readability', true],
      ['silhouette', true],
      ['transfer', true],
      ['ablations', true],
      ['complete', true],
    ],
  );
  // (0.40 - 1/3) / (0.60 - 1/3) = 0.25, and over Macenko (0.40 - 1/3) / (0.55 - 1/3) = 0.31
  t.regex(claim(results, 'site-readability').text, /40\.0 % .*chance 33\.3 %.*0\.25 times .*0\.31 times/);
  t.is(results.rows.find(({ row }) => row === 'lmc').aboveChanceRatio.toFixed(3), '0.250');
  t.regex(claim(results, 'transfer').text, /ahead of Autoencoder \(\+15\.0\), Macenko \(\+13\.0\)/);
  t.regex(claim(results, 'transfer').text, /every one of 3 seeds.*part from Autoencoder and Macenko\./);
  t.regex(claim(results, 'ablations').text, /no adversary: probe −5\.0, site accuracy \+5\.0\./);
});

test('a part whose removal steadily helps the probe has not earned its place by the site', (t) => {
  const results = resultsOf({ ...GOOD, 'lmc-no-adversary': { site: 0.45, probe: 0.77 } });
  const { holds, text } = claim(results, 'ablations');
  t.false(holds);
  t.regex(text, /no adversary: probe \+2\.0, site accuracy \+5\.0 \(no steady cost\)/);
});

test('neighbours of other slides: a sentence of its own where they were asked', (t) => {
  const name = 'site-readability-other-slides';
  t.is(claim(resultsOf(GOOD), name), undefined);
  const results = resultsOf({
    ...GOOD,
    none: { ...GOOD.none, otherSlides: 0.35 },
    lmc: { ...GOOD.lmc, otherSlides: 0.3 },
  });
  t.is(claim(results, name).holds, null);
  t.regex(claim(results, name).text, /LMC with 30\.0 % accuracy \(chance 33\.3 %\); Autoencoder 35\.0 %\.$/);
  t.is(claim(results, 'site-readability').text, claim(resultsOf(GOOD), 'site-readability').text);
});

test('LMC loses: it says so, and to whom', (t) => {
  const results = resultsOf({
    ...GOOD,
    lmc: { site: 0.58, probe: 0.61, silhouette: 0.3 },
    'lmc-no-adversary': { site: 0.57, probe: 0.62 },
  });
  t.deepEqual(
    results.claims.map(({ holds }) => holds),
    [false, false, false, false, true],
  );
  t.regex(claim(results, 'site-readability').text, /more than half/);
  t.regex(claim(results, 'silhouette').text, /\+0\.300: beyond 0\.10/);
  t.regex(claim(results, 'transfer').text, /ahead of Autoencoder \(\+1\.0\); not ahead of Macenko \(−1\.0\)/);
  t.regex(claim(results, 'transfer').text, /intervals part from none/);
  t.regex(
    claim(results, 'ablations').text,
    /no adversary: probe \+1\.0, site accuracy −1\.0 \(no steady cost\)/,
  );
  const row = benchmarkTables(results)[0].rows.find(({ title }) => title === 'LMC');
  t.false(row.cells[0].best, 'Macenko reads the site less');
  const paired = compareRows(results.runs).find(
    ({ row, metric }) => row === 'macenko' && metric === 'probe-unseen',
  );
  t.is(paired.everySeed, -1);
  t.is(paired.difference.mean.toFixed(3), '-0.010');
});

test('ahead in the mean, but not with every seed', (t) => {
  const results = resultsOf(GOOD);
  const run = results.runs.find(({ row, seed }) => row === 'macenko' && seed === 3);
  run.scores.probe = structuredClone(run.scores.probe);
  run.scores.probe.unseenMean.balancedAccuracy = 0.77;
  const compared = compareRows(results.runs).find(
    ({ row, metric }) => row === 'macenko' && metric === 'probe-unseen',
  );
  t.is(compared.everySeed, 0);
  t.true(compared.difference.mean > 0);
});

test('one seed proves nothing, and a baseline at chance is no divisor', (t) => {
  const runs = ['none', 'lmc'].flatMap(
    (row) => runsOf(row, { site: row === 'none' ? 0.33 : 0.4, probe: 0.6 })[1],
  );
  const rows = summariseRows(
    ['none', 'lmc'].map((row) => ({ row, title: TITLES[row], needsTargetImages: false })),
    runs,
  );
  t.is(rows[1].aboveChanceRatio, null);
  t.is(rows[1].summary['knn-unseen'].deviation, null);
  t.true(compareRows(runs).every(({ everySeed }) => everySeed === 0));
});

test('what failed or is missing is told, and leaves the rest alone', (t) => {
  const failed = {
    row: 'cyclegan',
    seed: 1,
    status: 'failed',
    error: { code: null, message: 'no | memory' },
  };
  const missing = { row: 'vahadane', seed: 1, status: 'missing' };
  const results = resultsOf(GOOD, [failed, missing]);
  t.regex(claim(results, 'complete').text, /Failed: cyclegan\. Not all seeds are done: vahadane \(0 of 3\)/);
  t.false(claim(results, 'complete').holds);
  const text = benchmarkMarkdown(results);
  t.regex(text, /\| cyclegan † \| – \|/);
  t.regex(text, /† needs images of the target sites/);
  t.regex(text, /`cyclegan`, seed 1, failed: no \| memory/);
});

test('the Markdown is a table: as many cells in each line as in its head', (t) => {
  const text = benchmarkMarkdown(resultsOf(GOOD));
  const tables = text.split('\n\n').filter((block) => block.startsWith('|'));
  t.is(tables.length, 3);
  for (const table of tables) {
    const widths = table.split('\n').map((line) => line.split('|').length);
    t.is(new Set(widths).size, 1, table);
  }
  t.regex(text, /\*\*0\.400\*\* ±0\.010/);
  t.regex(text, /\*\*0\.750\*\* ±0\.010 \[0\.720, 0\.780\]/);
  t.regex(text, /2\.00 hours of a processor/);
});

test('the page holds everything, escaped, and loads nothing', async (t) => {
  const results = resultsOf({ ...GOOD, none: GOOD.none });
  results.config.source = '<b>A</b>';
  const scatter = new Map([['lmc', { points: [0, 1, 2, 3], sites: ['A', 'B'], labels: ['x', null] }]]);
  const image = { mime: 'image/png', data: new Uint8Array([1, 2, 3]) };
  const samples = {
    tiles: [{ site: 'A', label: 'x' }],
    rows: [{ title: 'As scanned', note: '', images: [image] }],
  };
  const page = await renderBenchmarkReport({ results, scatter, samples });
  for (const { text } of results.claims) t.true(page.includes(text.replaceAll("'", '&#39;')), text);
  t.true(page.includes('&lt;b&gt;A&lt;/b&gt;') && !page.includes('<b>A</b>'));
  t.is(page.match(/<table>/g).length, 3);
  t.true(page.match(/<svg/g).length >= 5);
  t.notRegex(page, /<script|(?:src|href)="http/);
});
