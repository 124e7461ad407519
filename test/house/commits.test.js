// Invariant: a commit says of which kind it is, and what it does: the changelog is written from what `feat`, `fix` and `perf` say.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CONVENTION =
  /^(?:build|chore|ci|docs|feat|fix|perf|refactor|revert|style|test)(?:\([\w-]+\))?!?: \S.*[^.\s]$/;

const git = (...args) => spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });
const isClone = git('rev-parse', '--git-dir').status === 0;
if (!isClone) console.log('skipped: the commits: no git clone');

(isClone ? test : test.skip)('every subject keeps the convention of CONTRIBUTING.md', (t) => {
  const subjects = git('log', '--no-merges', '--format=%h %s').stdout.trim().split('\n');
  t.true(subjects.length > 0);
  t.deepEqual(
    subjects.filter((line) => !CONVENTION.test(line.replace(/^\w+ /, ''))),
    [],
  );
});

test('what the convention refuses', (t) => {
  for (const subject of ['fix: a crash on exit', 'feat!: drop Node 18', 'perf(cuda): one pass'])
    t.regex(subject, CONVENTION);
  for (const subject of ['Fix a crash', 'fixed: a crash', 'fix:a crash', 'fix: a crash.', 'wip', 'feat: '])
    t.notRegex(subject, CONVENTION);
});
