// Slides embedded by processes that are killed, that share a folder, and that run out of disk.
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { readFeatures, readSlideVectors } from '../../lib/index.js';
import { statusOf } from '../api/fake-slides.js';

const CHILD = fileURLToPath(new URL('./slides-child.js', import.meta.url));

/** Resolves when the process has ended: its lines, how it ended. `onLine(line, child)` sees each line as it comes. */
async function child(options, { onLine, prefix = [] } = {}) {
  const [command, ...args] = [...prefix, process.execPath, CHILD, JSON.stringify(options)];
  const running = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  running.stderr.on('data', (text) => {
    stderr += text;
  });
  const closed = new Promise((resolve) => running.on('close', (code, signal) => resolve({ code, signal })));
  const lines = [];
  for await (const text of createInterface({ input: running.stdout })) {
    if (!text.endsWith('}')) continue; // cut short by the kill
    lines.push(JSON.parse(text));
    onLine?.(lines.at(-1), running);
  }
  return { lines, ...(await closed), stderr };
}

async function setUp(t, ...names) {
  const folder = await mkdtemp(join(tmpdir(), 'stainfold-slides-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const slides = join(folder, 'slides');
  await mkdir(slides);
  for (const name of names) {
    await writeFile(join(slides, name), name);
    await utimes(join(slides, name), 1e9, 1e9);
  }
  return { folder, slides, out: join(folder, 'out') };
}

const result = ({ lines }) => lines.at(-1);
const kept = (count) => Array.from({ length: count }, (_, i) => i).filter((i) => statusOf(i) === 'ok');

async function outputs(out, names) {
  return Promise.all(names.map((name) => readFile(join(out, name))));
}

test('killed at random moments until it is done: the bytes of a run that nobody killed', async (t) => {
  const names = ['300-a.svs', '200-b.svs'];
  const { slides, out, folder } = await setUp(t, ...names);
  const files = ['300-a.h5', '200-b.h5', 'slides.parquet'];
  const whole = await child({ slides, out: join(folder, 'whole') });
  t.is(whole.code, 0, whole.stderr);
  const expected = await outputs(join(folder, 'whole'), files);

  let kills = 0;
  let finished;
  const readTwice = [];
  while (finished === undefined) {
    t.true(kills < 60, 'each run gets a step further');
    // By tiles and by time: in mid-read, in mid-embedding, in mid-write.
    const after = 20 + Math.floor(Math.random() * 80);
    const wait = Math.random() * 5;
    let seen = 0;
    const run = await child(
      { slides, out, readMs: 0.1 },
      {
        onLine: ({ index }, running) => {
          if (index !== undefined && ++seen === after) setTimeout(() => running.kill('SIGKILL'), wait);
        },
      },
    );
    readTwice.push(seen);
    if (run.signal === null) finished = run;
    else {
      kills++;
      for (const file of await readdir(out).catch(() => [])) {
        if (!file.endsWith('.h5')) continue;
        const { shape } = await readFeatures(join(out, file));
        t.is(shape[0], kept(Number(file.split('-')[0])).length, 'a file that is there is whole');
      }
    }
  }
  t.is(finished.code, 0, finished.stderr);
  t.true(kills >= 3, `${kills} kills`);
  t.log(`${kills} kills; ${readTwice.reduce((a, b) => a + b)} tiles read for 500`);
  const got = await outputs(out, files);
  for (const [i, file] of files.entries()) t.true(got[i].equals(expected[i]), file);
  const { coords } = await readFeatures(join(out, '300-a.h5'));
  t.deepEqual(
    [...coords].filter((_, i) => i % 2),
    kept(300),
    'no tile twice, none missing',
  );
  t.deepEqual(
    (await readdir(join(out, '.stainfold'))).filter((name) => /part|tmp/.test(name)),
    [],
  );
});

test('two processes share a folder: each slide is done once, and whoever ends last lists all', async (t) => {
  const names = Array.from({ length: 8 }, (_, i) => `${40 + i}-${i}.svs`);
  const { slides, out } = await setUp(t, ...names);
  const both = await Promise.all([child({ slides, out, readMs: 1 }), child({ slides, out, readMs: 1 })]);
  const states = both.map((run) => {
    t.is(run.code, 0, run.stderr);
    return result(run).slides.map(({ state }) => state);
  });
  const written = states.map((list) => list.filter((state) => state === 'written').length);
  t.is(written[0] + written[1], 8, JSON.stringify(states));
  t.true(Math.min(...written) >= 2, `${written} slides each`);
  t.false(states.flat().includes('failed'));
  t.deepEqual((await readSlideVectors(out)).names.length, 8);
  const again = await child({ slides, out });
  t.deepEqual(new Set(result(again).slides.map(({ state }) => state)), new Set(['present']));
});

test('a slide whose process was killed is taken over by the one beside it', async (t) => {
  const { slides, out } = await setUp(t, '200-a.svs', '60-b.svs');
  let other;
  const first = await child(
    { slides, out, readMs: 20 },
    {
      onLine: ({ name, done }, running) => {
        if (name !== '200-a' || done < 60 || other !== undefined) return;
        other = child(
          { slides, out, readMs: 1 },
          { onLine: (line) => line.name === '60-b' && running.kill('SIGKILL') },
        );
      },
    },
  );
  t.is(first.signal, 'SIGKILL');
  const { slides: outcomes } = result(await other);
  const a = outcomes.find(({ slide }) => slide === '200-a');
  t.is(a.state, 'written');
  t.true(a.resumed >= 32, `${a.resumed} tiles were there`);
  t.is(a.tiles, kept(200).length);
});

test('a full disk: an error for the slide, nothing that looks complete, and the rest when there is room', async (t) => {
  const { slides, out, folder } = await setUp(t, '900-a.svs', '9-b.svs');
  await child({ slides, out: join(folder, 'whole') });
  const [expected] = await outputs(join(folder, 'whole'), ['900-a.h5']);
  // A limit on the size of files stands for the disk's: 20 kB are less than the chunks of the first slide take, and 60 kB less
  // than its file. Writing beyond it fails instead of raising SIGXFSZ.
  for (const blocks of [20, 60]) {
    const prefix = ['bash', '-c', `trap "" XFSZ; ulimit -f ${blocks}; exec "$@"`, 'limited'];
    const run = await child({ slides, out }, { prefix });
    t.is(run.code, 0, run.stderr);
    const [b, a] = result(run).slides; // by name
    t.is(a.state, 'failed');
    t.is(a.error.code, 'STAINFOLD_FILE_WRITE', a.error.message);
    t.not(b.state, 'failed', JSON.stringify(b.error));
    t.deepEqual(
      (await readdir(out)).filter((name) => /900-a/.test(name)),
      [],
    );
  }
  const last = await child({ slides, out });
  const [, a] = result(last).slides;
  t.is(a.state, 'written');
  t.true(a.resumed > 0, 'what fitted was kept');
  const [got] = await outputs(out, ['900-a.h5']);
  t.true(got.equals(expected));
});

test.serial('100,000 tiles take the memory of 4,000', async (t) => {
  const peaks = [];
  for (const tiles of [4_000, 100_000]) {
    const { slides, out } = await setUp(t, `${tiles}-a.svs`);
    const run = await child({ slides, out, quiet: true, chunkTiles: 256 });
    t.is(run.code, 0, run.stderr);
    t.is(result(run).slides[0].tiles, kept(tiles).length);
    peaks.push(result(run).peak / 1e6);
  }
  const grown = peaks[1] - peaks[0];
  t.log(`${peaks.map(Math.round).join(' and ')} MB`);
  // The pixels that went through are 295 MB more. What is left of a tile is why it was rejected, if it was.
  t.true(grown < 80, `${grown} MB more`);
});
