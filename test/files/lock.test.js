// Invariant: at no time do two processes hold one folder, whoever died holding it before.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { lockFolder } from '../../lib/files/lock.js';
import { temporaryFolder } from '../temporary.js';

const LOCK = '.stainfold-lock';
const locker = fileURLToPath(new URL('locker.js', import.meta.url));
const folder = () => temporaryFolder('lock');

/** Starts a locker; `said` is its first line, `ended` its end. */
function start(dir, mode = 'release') {
  const child = spawn(process.execPath, [locker, dir, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const said = new Promise((resolve) => child.stdout.once('data', (data) => resolve(String(data).trim())));
  return { child, said, ended };
}

async function killedHolder(dir) {
  const holder = start(dir, 'stay');
  await holder.said;
  holder.child.kill('SIGKILL');
  await holder.ended;
  return holder.child.pid;
}

/** Entering and leaving alternate, each pair by one process. */
function assertExclusive(t, journal) {
  const lines = journal.trim().split('\n');
  t.is(lines.length % 2, 0);
  for (let i = 0; i < lines.length; i += 2) {
    t.regex(lines[i], /^enter /);
    t.is(lines[i + 1], lines[i].replace('enter', 'leave'));
  }
}

test('a second taker is told the pid of the first', async (t) => {
  const dir = await folder();
  const lock = await lockFolder(dir);
  const error = await t.throwsAsync(lockFolder(dir), { code: 'STAINFOLD_LOCKED' });
  t.regex(error.message, new RegExp(`in use by process ${process.pid} since \\d{4}-`));
  const other = start(dir);
  t.is(await other.said, 'STAINFOLD_LOCKED');
  lock.release();
  lock.release();
  t.deepEqual(await readdir(dir), []);
  (await lockFolder(dir)).release();
});

test('names separate locks; a missing folder is made; using releases', async (t) => {
  const dir = join(await folder(), 'new', 'one');
  const a = await lockFolder(dir, 'a.lock');
  const b = await lockFolder(dir, 'b.lock');
  t.deepEqual((await readdir(dir)).sort(), ['a.lock', 'b.lock']);
  a[Symbol.dispose]();
  b[Symbol.dispose]();
  t.deepEqual(await readdir(dir), []);
});

test('a process that exits without releasing leaves no lock', async (t) => {
  const dir = await folder();
  await start(dir, 'exit').ended;
  t.false(existsSync(join(dir, LOCK)));
});

test('the lock of a killed process is taken over, by exactly one of many', async (t) => {
  for (let round = 0; round < 3; round++) {
    const dir = await folder();
    const dead = await killedHolder(dir);
    await writeFile(join(dir, 'journal'), '');
    const takers = Array.from({ length: 6 }, () => start(dir));
    const said = await Promise.all(takers.map((taker) => taker.said));
    await Promise.all(takers.map((taker) => taker.ended));
    t.true(said.includes('held'), `nobody took over from ${dead}: ${said}`);
    t.true(said.every((word) => word === 'held' || word === 'STAINFOLD_LOCKED'));
    assertExclusive(t, await readFile(join(dir, 'journal'), 'utf8'));
    t.deepEqual(await readdir(dir), ['journal']);
  }
});

test('a claimant that died in mid-takeover is taken over, too', async (t) => {
  const dir = await folder();
  await killedHolder(dir);
  const stale = await readFile(join(dir, LOCK), 'utf8');
  // The claim on the dead owner's token, itself held by a dead process.
  const claim = JSON.stringify({ ...JSON.parse(stale), token: 'abcdef' });
  await writeFile(join(dir, `${LOCK}.${JSON.parse(stale).token}`), claim);
  const lock = await lockFolder(dir);
  t.is(JSON.parse(await readFile(join(dir, LOCK), 'utf8')).pid, process.pid);
  lock.release();
  t.deepEqual(await readdir(dir), ['journal']);
});

test('a pid that was reused does not count as the owner', async (t) => {
  if (!existsSync('/proc/self/stat')) return t.pass('no /proc: process start times are unknown');
  const dir = await folder();
  const owner = {
    token: 'abcdef',
    pid: process.pid,
    host: hostname(),
    start: 'another boot:1',
    since: 'then',
  };
  await writeFile(join(dir, LOCK), JSON.stringify(owner));
  (await lockFolder(dir)).release();
  t.deepEqual(await readdir(dir), []);
});

test('an owner on another host is respected, and the message says what to delete', async (t) => {
  const dir = await folder();
  const owner = { token: 'abcdef', pid: 4242, host: 'elsewhere.example', start: '', since: 'then' };
  await writeFile(join(dir, LOCK), JSON.stringify(owner));
  const error = await t.throwsAsync(lockFolder(dir), { code: 'STAINFOLD_LOCKED' });
  t.regex(error.message, /process 4242 on elsewhere\.example since then\. .* delete .*\.stainfold-lock/);
});

test('a lock file that names nobody is taken over', async (t) => {
  const dir = await folder();
  await writeFile(join(dir, LOCK), 'not ours');
  (await lockFolder(dir)).release();
  t.deepEqual(await readdir(dir), []);
});

test('a folder that cannot be made is a write failure', async (t) => {
  const dir = await folder();
  await writeFile(join(dir, 'file'), '');
  await t.throwsAsync(lockFolder(join(dir, 'file', 'below')), { code: 'STAINFOLD_FILE_WRITE' });
});
