// normalize and separate on a small phantom, as a user would type them. Needs LibTorch and the addon.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { temporaryFolder } from '../temporary.js';
import { cli } from './cli.js';

const folder = temporaryFolder('cli-stain');
const run = (...args) => cli(args, { cwd: folder });
const ON = ['--device', 'cpu', '--threads', '1'];
const manifest = join('tiles', 'manifest.csv');

test.serial('normalize: a set that has the same labels, a fit kept and used again', async (t) => {
  const made = await run('phantom', '--out', 'tiles', '--tiles', '6', '--labs', '2', '--tile-size', '32');
  t.is(made.code, 0, made.stderr);
  const first = await run(
    ...['normalize', manifest, '-o', 'out', '--method', 'reinhard', '--reference', manifest],
    ...['--reference-where', 'lab=0', '--save-fit', 'fit.json', ...ON],
  );
  t.is(first.code, 0, first.stderr);
  t.regex(first.stdout, /^✔ 12 tiles by reinhard, in /);
  t.regex(first.stdout, /^ok +\d+$/m);
  t.regex(first.stdout, /^little-tissue +\d+ +as they were: too few stained pixels$/m);
  const text = readFileSync(join(folder, 'out/manifest.csv'), 'utf8');
  t.true(text.startsWith('file,lab,tissue,slide,place,mpp,stain_status\n'));
  t.is(text.trimEnd().split('\n').length, 13);

  const second = await run(
    'normalize',
    manifest,
    '-o',
    'by-slide',
    '--fit',
    'fit.json',
    '--per',
    'slide',
    '--json',
  );
  t.is(second.code, 0, second.stderr);
  const done = JSON.parse(second.stdout);
  t.is(done.tiles, 12);
  t.is(done.method, 'reinhard');
  t.is(
    Object.values(done.statuses).reduce((a, b) => a + b),
    12,
  );
});

test.serial('normalize refuses what contradicts itself', async (t) => {
  const both = await run('normalize', manifest, '-o', 'x', '--fit', 'fit.json', '--method', 'macenko');
  t.is(both.code, 1);
  t.regex(both.stderr, /^error STAINFOLD_OPTION: --fit already says method/);
  const none = await run('normalize', manifest, '-o', 'x', '--method', 'reinhard');
  t.regex(none.stderr, /reinhard has no published reference/);
  const own = await run('normalize', manifest, '-o', 'tiles', ...ON);
  t.regex(own.stderr, /STAINFOLD_OUTPUT_EXISTS/);
  t.is((await run('normalize', manifest, '-o', 'x', '--per', 'patient')).code, 2);
});

test.serial('separate: tables and pictures', async (t) => {
  const { code, stdout, stderr } = await run('separate', manifest, '-o', 'stains', '--where', 'lab=1', ...ON);
  t.is(code, 0, stderr);
  t.regex(stdout, /^✔ 6 tiles separated, in /);
  t.true(existsSync(join(folder, 'stains/concentrations/tiles/lab1_00000-eosin.png')));
  t.is(readFileSync(join(folder, 'stains/stains.csv'), 'utf8').trimEnd().split('\n').length, 7);
});
