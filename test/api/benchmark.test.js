// The benchmark on a phantom of three labs, small: what it writes, and what it does not do twice.
import { existsSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { mergeTraining } from '../../lib/api/benchmark/rows.js';
import {
  BENCHMARK_EXAMPLE,
  BENCHMARK_ROWS,
  benchmark,
  generatePhantom,
  listTiles,
  readBenchmarkConfig,
  readTile,
} from '../../lib/index.js';
import { sharedFolder } from '../data/tiles.js';

const folder = sharedFolder(test);
let made;
const phantom = () =>
  (made ??= generatePhantom({
    out: join(folder, 'tiles'),
    tiles: 24,
    labs: 3,
    tileSize: 32,
    seed: 5,
    threads: 1,
  }));

async function options(changes = {}) {
  const { manifest } = await phantom();
  return {
    manifest,
    out: join(folder, 'bench'),
    batchColumn: 'lab',
    source: '0',
    labelColumn: 'tissue',
    groupColumn: 'slide',
    rows: ['colour', 'none', 'lmc'],
    seeds: [1, 2],
    budget: { epochs: 1, batchSize: 12 },
    evaluation: { k: 5, bootstrap: 200 },
    device: 'cpu',
    threads: 1,
    ...changes,
  };
}

test.serial('runs every row with every seed, and writes results, table and report', async (t) => {
  const runs = [];
  const counts = [];
  const { results, files, failed } = await benchmark(
    await options({
      onRun: ({ row, seed, status }, count) => {
        runs.push(`${row} ${seed} ${status}`);
        counts.push(count);
      },
    }),
  );
  t.deepEqual(failed, []);
  // Seed by seed: a table is whole early.
  t.deepEqual(runs, [
    'colour 1 done',
    'none 1 done',
    'lmc 1 done',
    'colour 2 done',
    'none 2 done',
    'lmc 2 done',
  ]);
  t.is(counts.at(-1).done, 6);
  t.is(counts.at(-1).secondsLeft, 0);
  t.deepEqual(results.sites, { 0: 24, 1: 24, 2: 24 });
  t.deepEqual(
    results.rows.map(({ row, done }) => [row, done]),
    [
      ['colour', 2],
      ['none', 2],
      ['lmc', 2],
    ],
  );
  const lmc = results.rows[2];
  t.is(lmc.summary['knn-unseen'].values.length, 2);
  t.true(lmc.summary['probe-unseen'].mean > 0 && lmc.summary['probe-unseen'].mean <= 1);
  t.is(results.metrics.find(({ key }) => key === 'knn-unseen').chance, 1 / 2);
  t.is(results.metrics.find(({ key }) => key === 'knn-all').chance, 1 / 3);
  t.true(results.comparisons.some(({ row, metric }) => row === 'none' && metric === 'probe-unseen'));
  t.false(JSON.stringify(results).includes(folder), 'no path of this machine');

  t.deepEqual(JSON.parse(await readFile(files.results, 'utf8')).runs.length, 6);
  t.regex(await readFile(files.table, 'utf8'), /\| \*\*LMC\*\* \|/);
  const page = await readFile(files.report, 'utf8');
  t.regex(page, /<svg/);
  t.notRegex(page, /(?:src|href)="http/, 'nothing is loaded from elsewhere');
});

test.serial('what is done is not done again, and more seeds join', async (t) => {
  const out = join(folder, 'bench');
  const model = join(out, 'runs/lmc/seed-1/model.safetensors');
  const before = await stat(model);
  const worked = new Set();
  const given = await options({
    seeds: [1, 2, 3],
    onProgress: ({ row, seed, stage }) => worked.add(`${row} ${seed} ${stage}`),
  });
  const { results } = await benchmark(given);
  t.is((await stat(model)).mtimeMs, before.mtimeMs);
  t.true(
    [...worked].every((name) => / 3 /.test(name)),
    [...worked].join(),
  );
  t.true(worked.has('lmc 3 training'));
  t.is(results.rows[2].done, 3);
});

test.serial('other evaluation options score again, but train nothing', async (t) => {
  const read = async () => JSON.parse(await readFile(join(folder, 'bench/results.json'), 'utf8'));
  const worked = [];
  const onProgress = (progress) => worked.push(progress);
  const before = (await read()).rows[2].summary.lisi.values[0];
  const { results } = await benchmark(
    await options({ evaluation: { k: 9, bootstrap: 200 }, run: false, onProgress }),
  );
  t.deepEqual(worked, []);
  t.not(results.rows[2].summary.lisi.values[0], before);
});

test.serial('scores of an older version are worked out again from the embeddings', async (t) => {
  const runs = join(folder, 'bench/runs/lmc/seed-1');
  const path = join(runs, 'scores.json');
  const key = 'knn-unseen-other-slides';
  const record = JSON.parse(await readFile(path, 'utf8'));
  const { knnOtherGroups } = record.scores.unseen;
  t.true(knnOtherGroups >= 0 && knnOtherGroups <= 1);
  delete record.scores.unseen.knnOtherGroups;
  await writeFile(path, JSON.stringify({ ...record, digest: 'of an older version' }));
  const before = await stat(join(runs, 'model.safetensors'));
  const worked = [];
  const { results, files } = await benchmark(
    await options({
      evaluation: { k: 9, bootstrap: 200 },
      run: false,
      onProgress: (progress) => worked.push(progress),
    }),
  );
  t.deepEqual(worked, []);
  t.is((await stat(join(runs, 'model.safetensors'))).mtimeMs, before.mtimeMs);
  t.is(results.rows[2].summary[key].values[0], knnOtherGroups);
  t.is(results.metrics.find((metric) => metric.key === key).chance, 1 / 2);
  t.regex(await readFile(files.table, 'utf8'), /k-NN site accuracy, other slides only, unseen sites/);
});

test.serial('a finished run of other settings is not overwritten', async (t) => {
  const model = join(folder, 'bench/runs/lmc/seed-1/model.safetensors');
  const { mtimeMs } = await stat(model);
  await t.throwsAsync(benchmark(await options({ budget: { epochs: 2, batchSize: 12 } })), {
    code: 'STAINFOLD_OUTPUT_EXISTS',
    message: /runs.+seed-1 holds a finished run of other settings/,
  });
  t.is((await stat(model)).mtimeMs, mtimeMs);
});

test.serial('after an interruption the row that was over is not trained again', async (t) => {
  const out = join(folder, 'interrupted');
  const controller = new AbortController();
  const rows = { rows: ['none', 'lmc'], seeds: [1], budget: { epochs: 4, batchSize: 12 } };
  await t.throwsAsync(
    benchmark(
      await options({
        ...rows,
        out,
        signal: controller.signal,
        onProgress: ({ row, stage }) => {
          if (row === 'lmc' && stage === 'training') controller.abort(new Error('enough'));
        },
      }),
    ),
    { message: 'enough' },
  );
  t.true(existsSync(join(out, 'table.md')), 'what is done can be looked at');
  const first = await stat(join(out, 'runs/none/seed-1/model.safetensors'));
  t.false(existsSync(join(out, 'runs/lmc/seed-1/model.safetensors')));
  t.true(existsSync(join(out, 'runs/lmc/seed-1/checkpoint.safetensors')));

  const worked = new Set();
  const again = await options({ ...rows, out, onProgress: ({ row }) => worked.add(row) });
  const { results } = await benchmark(again);
  t.deepEqual([...worked], ['lmc']);
  t.is((await stat(join(out, 'runs/none/seed-1/model.safetensors'))).mtimeMs, first.mtimeMs);
  t.is(results.rows[1].done, 1);

  // It continued: the same as never having stopped.
  const whole = join(folder, 'whole');
  await benchmark(await options({ ...rows, rows: ['lmc'], out: whole }));
  const bytes = (at) => readFile(join(at, 'runs/lmc/seed-1/embeddings.safetensors'));
  t.deepEqual(await bytes(out), await bytes(whole));
});

test.serial('a row that fails is recorded, the others go on, and it is tried again', async (t) => {
  const out = join(folder, 'failing');
  const given = await options({ out, rows: ['none', 'lmc'], seeds: [1] });
  // Well-formed, and wrong for these tiles: only the row's own training meets it.
  const second = await benchmark({ ...given, options: { none: { labColumn: 'nowhere' } } });
  t.deepEqual(
    second.failed.map(({ row, error }) => [row, error.code]),
    [['none', 'STAINFOLD_OPTION']],
  );
  t.is(second.results.rows.find(({ row }) => row === 'lmc').done, 1);
  t.regex(await readFile(second.files.table, 'utf8'), /`none`, seed 1, failed:/);
  t.regex(second.results.claims.at(-1).text, /Failed: Autoencoder\./);
  const third = await benchmark(given);
  t.deepEqual(third.failed, []);
});

test.serial(
  'rows of altered tiles: normalised once for all seeds, translated by one network if so asked',
  async (t) => {
    const out = join(folder, 'altered');
    const { results, failed, files } = await benchmark(
      await options({
        out,
        rows: ['none', 'reinhard', 'macenko', 'staingan'],
        gan: { epochs: 1, width: 4, blocks: 1, batchSize: 12 },
        translatorPerSeed: false,
        fitTiles: 8,
      }),
    );
    t.deepEqual(failed, []);
    const folders = await readdir(join(out, 'tiles'));
    t.deepEqual(folders.sort(), ['macenko', 'reinhard', 'staingan-seed-1']);
    const [first, second] = results.runs.filter(({ row }) => row === 'macenko');
    t.is(first.seconds.tiles, second.seconds.tiles);
    t.is(
      Object.values(first.statuses).reduce((sum, tiles) => sum + tiles),
      72,
    );
    t.is(results.rows.find(({ row }) => row === 'staingan').needsTargetImages, true);
    const text = await readFile(files.table, 'utf8');
    t.regex(text, /StainGAN † \|/);
    t.regex(text, /- Macenko: tiles /);
    t.regex(await readFile(files.report, 'utf8'), /Macenko: tile of lab 1/);
    // Of the source a translator leaves each pixel, a normaliser not.
    const pixels = async (row) =>
      (await listTiles({ tiles: join(out, 'tiles', row, 'manifest.csv'), where: { lab: '0' } })).tiles;
    const original = (await listTiles({ tiles: (await phantom()).manifest, where: { lab: '0' } })).tiles;
    const { data } = await readTile(original[0].path, 32);
    t.deepEqual((await readTile((await pixels('staingan-seed-1'))[0].path, 32)).data, data);
    t.notDeepEqual((await readTile((await pixels('reinhard'))[0].path, 32)).data, data);
  },
);

test.serial('augmentations run, and every row by default', async (t) => {
  const out = join(folder, 'augmented');
  const given = { out, rows: ['hed-jitter', 'randstainna'], seeds: [1] };
  const { results, failed } = await benchmark(await options(given));
  t.deepEqual(failed, []);
  t.deepEqual(
    results.rows.map(({ row, done }) => [row, done]),
    [
      ['hed-jitter', 1],
      ['randstainna', 1],
    ],
  );
  const all = await benchmark(await options({ out, rows: undefined, seeds: [1], run: false }));
  t.deepEqual(
    all.results.rows.map(({ row }) => row),
    BENCHMARK_ROWS,
  );
  t.is(all.results.runs.filter(({ status }) => status === 'missing').length, BENCHMARK_ROWS.length - 2);
});

test.serial('mistakes are told before anything is run', async (t) => {
  const out = join(folder, 'nothing');
  const fails = async (changes, expected) =>
    t.throwsAsync(
      benchmark(await options({ out, rows: ['lmc', 'macenko', 'cyclegan'], ...changes })),
      expected,
    );
  await fails({ rows: ['lcm'] }, { code: 'STAINFOLD_OPTION', message: /rows/ });
  await fails({ seed: 1 }, { code: 'STAINFOLD_OPTION_UNKNOWN', message: /did you mean 'seeds'/ });
  await fails({ options: { lcm: {} } }, { code: 'STAINFOLD_OPTION_UNKNOWN', message: /options\.lcm/ });
  await fails(
    { lmc: { temprature: 1 } },
    { code: 'STAINFOLD_OPTION_UNKNOWN', message: /row 'lmc'.+did you mean 'temperature'/ },
  );
  await fails({ budget: { out: 'x' } }, { code: 'STAINFOLD_OPTION', message: /budget\.out is set by/ });
  await fails(
    { source: '9' },
    { code: 'STAINFOLD_EVALUATE', message: /no '9' in column 'lab', only 0, 1, 2/ },
  );
  await fails({ batchColumn: 'site' }, { code: 'STAINFOLD_OPTION', message: /batchColumn must be a column/ });
  await fails({ evaluation: { k: 48 } }, { code: 'STAINFOLD_EVALUATE', message: /only 48 tiles/ });
  t.false(existsSync(out));
});

test('options are laid over one another: weights member by member, a manifold over one of its kind', (t) => {
  t.deepEqual(
    mergeTraining(
      { epochs: 3, weights: { compaction: 2, adversarial: 1 } },
      undefined,
      { weights: { compaction: 0 }, manifold: { strength: 0 } },
      { epochs: 4, manifold: { labs: 3 } },
    ),
    { epochs: 4, weights: { compaction: 0, adversarial: 1 }, manifold: { strength: 0, labs: 3 } },
  );
  const over = (under, manifold) => mergeTraining({ manifold: under }, { manifold }).manifold;
  t.deepEqual(over({ kind: 'he', rotation: 3 }, { kind: 'hed-jitter' }), { kind: 'hed-jitter' });
  t.deepEqual(over({ kind: 'hdab', rotation: 3 }, { strength: 0 }), {
    kind: 'hdab',
    rotation: 3,
    strength: 0,
  });
  t.deepEqual(over([{ kind: 'he' }], { strength: 0 }), { strength: 0 });
});

test('config files: comments, trailing commas, paths relative to the file', async (t) => {
  const path = join(folder, 'config.json');
  await writeFile(path, BENCHMARK_EXAMPLE);
  const config = await readBenchmarkConfig(path);
  t.is(config.manifest, join(folder, 'tiles/manifest.csv'));
  t.is(config.out, join(folder, 'benchmark'));
  t.is(config.rows.length, 16);
  await writeFile(path, '{ "source": "a // no, comment ,]", /* "x": 1, */ "seeds": [1, 2,], }');
  t.deepEqual(await readBenchmarkConfig(path), { source: 'a // no, comment ,]', seeds: [1, 2] });
  await writeFile(path, '{ "source": }');
  await t.throwsAsync(readBenchmarkConfig(path), { code: 'STAINFOLD_OPTION', message: /is not JSON/ });
  await t.throwsAsync(readBenchmarkConfig(join(folder, 'none.json')), { code: 'STAINFOLD_FILE_NOT_FOUND' });
});

test.after('no half-written file is left', async (t) => {
  const names = await readdir(join(folder, 'bench'), { recursive: true }).catch(() => []);
  t.deepEqual(
    names.filter((name) => /\.tmp$|lock/.test(name)),
    [],
  );
});
