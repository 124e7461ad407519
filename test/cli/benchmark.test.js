// The benchmark and manifest commands, as a user runs them.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { generatePhantom } from '../../lib/index.js';
import { png, sharedFolder } from '../data/tiles.js';
import { cli } from './cli.js';

const folder = sharedFolder(test);

test.serial('--init prints an example, or writes it where nothing is', async (t) => {
  const printed = await cli(['benchmark', '--init']);
  t.is(printed.code, 0);
  t.regex(printed.stdout, /"batchColumn": "site"/);
  const written = await cli(['benchmark', '--init', 'example.json'], { cwd: folder });
  t.is(written.stdout, '✔ example.json\n');
  t.is(await readFile(join(folder, 'example.json'), 'utf8'), printed.stdout);
  const again = await cli(['benchmark', '--init', 'example.json'], { cwd: folder });
  t.is(again.code, 1);
  t.regex(again.stderr, /STAINFOLD_OUTPUT_EXISTS/);
});

test.serial('a run: a line for each, the tables, and exit code 1 where a row failed', async (t) => {
  await generatePhantom({ out: join(folder, 'tiles'), tiles: 24, labs: 3, tileSize: 32, threads: 1 });
  const config = {
    manifest: 'tiles/manifest.csv',
    out: 'bench',
    batchColumn: 'lab',
    source: '0',
    labelColumn: 'tissue',
    groupColumn: 'slide',
    rows: ['colour', 'none', 'lmc'],
    seeds: [1],
    budget: { epochs: 1, batchSize: 12 },
    evaluation: { k: 5, bootstrap: 100 },
    options: { none: { labColumn: 'nowhere' } },
  };
  await writeFile(join(folder, 'config.json'), `// mine\n${JSON.stringify(config)}`);
  const line = ['benchmark', 'config.json', '--threads', '1', '--device', 'cpu'];
  const failing = await cli(line, { cwd: folder });
  t.is(failing.code, 1);
  t.regex(failing.stderr, /✔ 1\/3 {2}colour +seed 1 .* site \d\.\d+ \(chance 0\.500\) · probe 0\.\d+/);
  t.regex(failing.stderr, /✘ 2\/3 {2}none +seed 1 {2}labColumn must be a column/);
  t.regex(failing.stderr, /1 run failed; the same command tries them again/);
  t.regex(failing.stdout, /^What gives the lab away\./);
  t.regex(failing.stdout, /✘ Failed: Autoencoder/);

  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, options: {} }));
  const { code, stdout } = await cli([...line, '--json', '--rows', 'colour,none'], { cwd: folder });
  t.is(code, 0);
  const events = stdout
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text));
  t.deepEqual(
    events.map(({ event, row, status }) => [event, row, status]),
    [
      ['run', 'colour', 'done'],
      ['run', 'none', 'done'],
      ['done', undefined, undefined],
    ],
  );
  t.is(events[2].format, 'stainfold-benchmark');
});

test.serial('mistakes: no config, a row that there is not', async (t) => {
  const none = await cli(['benchmark']);
  t.is(none.code, 1);
  t.regex(none.stderr, /needs the path of a config file.*--init/s);
  const typo = await cli(['benchmark', 'config.json', '--rows', 'lcm'], { cwd: folder });
  t.is(typo.code, 1);
  t.regex(typo.stderr, /STAINFOLD_OPTION.*one of colour, untrained/);
  const comma = await cli(['benchmark', 'config.json', '--rows', 'lmc,'], { cwd: folder });
  t.is(comma.code, 2);
});

test.serial('manifest: the sites and what was left out', async (t) => {
  const tiles = join(folder, 'slides/normal_001');
  await mkdir(tiles, { recursive: true });
  await writeFile(join(tiles, '0_0.png'), await png(32, 1));
  await writeFile(join(folder, 'slides/other.png'), await png(32, 2));
  const { code, stdout, stderr } = await cli(['manifest', 'camelyon16', 'slides', '-o', 'c.csv'], {
    cwd: folder,
  });
  t.is(code, 0);
  t.regex(stdout, /✔ 1 tile of 1 site\n.*c\.csv.*\n.*Radboud 1\n/);
  t.regex(stderr, /1 file could not be placed.*other\.png/s);
  t.is((await cli(['manifest', 'elsewhere', 'slides', '-o', 'c.csv'], { cwd: folder })).code, 2);
});
