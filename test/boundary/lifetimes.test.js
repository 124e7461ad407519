// Invariant: making and disposing objects, ever so many, leaves nothing behind; so does leaving them to the garbage collector, which
// knows what they weigh. STAINFOLD_LIFETIMES=10000 makes as many of every kind; without it there are fewer of those that take long.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const PROGRAM = fileURLToPath(new URL('./programs/lifetimes.js', import.meta.url));
const MIB = 2 ** 20;
const all = Number(process.env.STAINFOLD_LIFETIMES ?? 0);

/** Kind, how many, how they end, most MiB that the second half may add to the first. */
const ROUNDS = [
  ['Trainer, unopened', 10_000, 'dispose', 12],
  ['Embedder, unopened', 10_000, 'abandon', 12],
  ['TranslatorTrainer', 1000, 'dispose', 12],
  ['Translator', 1000, 'dispose', 12],
  ['OpenSlide', 1000, 'dispose', 12],
  ['openSlide', 1000, 'abandon', 12],
  ['StainNormalizer', 10_000, 'abandon', 16],
  ['replaced pack', 40, 'abandon', 24],
  ['Trainer', 300, 'dispose', 24],
  ['Embedder', 60, 'dispose', 24],
  ['loadEncoder', 40, 'dispose', 24],
  // An abandoned trainer holds 1 MiB of weights, moments and thread: of 300 that nobody collects 150 would stand here.
  ['Trainer', 300, 'abandon', 60],
  ['TranslatorTrainer', 500, 'abandon', 60],
  ['loadEncoder', 60, 'abandon', 60],
];

test('objects by the thousand: memory and threads stay as they are', (t) => {
  const rounds = ROUNDS.map(([kind, count, end]) => [kind, Math.max(count, all), end]);
  const begun = performance.now();
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [PROGRAM, JSON.stringify(rounds)], {
    encoding: 'utf8',
    maxBuffer: 64 * MIB,
  });
  t.is(status, 0, `${error ?? ''}${stderr}`);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  let checked = 0;
  for (const [kind, count, end, most] of ROUNDS) {
    const own = lines.filter((line) => line.kind === kind && line.end === end);
    if (own.length === 0) continue;
    const highest = (part) => Math.max(...part.map(({ rss }) => rss)) / MIB;
    const [early, late] = [highest(own.slice(0, 5)), highest(own.slice(5))];
    const [threads, files] = ['threads', 'files'].map((what) => Math.max(...own.map((line) => line[what])));
    t.log(
      `${own.at(-1).done} ${kind}, ${end}: ${early.toFixed(0)} -> ${late.toFixed(0)} MiB, at most ${threads} threads, ${files} files`,
    );
    t.true(
      late - early < most,
      `${count} ${kind}, ${end}: ${early} MiB in the first half, ${late} in the second`,
    );
    t.true(threads < 200, `${kind}, ${end}: ${threads} threads`);
    t.true(files < 60, `${kind}, ${end}: ${files} open files`);
    checked++;
  }
  t.true(checked >= ROUNDS.length - 2, 'all but slides, where there is no C compiler');
  t.log(`${((performance.now() - begun) / 1000).toFixed(0)} s`);
});
