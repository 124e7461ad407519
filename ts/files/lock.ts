/**
 * One process at a time in a folder. The lock is a file that names its owner; a lock whose owner is dead is taken over.
 *
 * How a takeover stays free of races: every lock carries a random token, and whoever wants to replace the dead owner's lock
 * must first hold a second lock named after that token. Holding it, he looks again: if the token is still there nobody
 * else may replace it, so renaming over it is safe; if it is gone, another process was faster. The second lock is
 * taken by the same rules, so a claimant that dies in mid-takeover is itself taken over.
 */
import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StainfoldError } from '../errors.js';
import { writeFailure } from './atomic.js';

interface Owner {
  token: string;
  pid: number;
  host: string;
  /** Boot and start time of the process where the system tells them, so that a reused pid is not mistaken for the owner. */
  start: string;
  /** When it was taken, for people. */
  since: string;
}

/** A held lock. Released by `release()`, by `using`, or when the process exits. */
export interface FolderLock extends Disposable {
  readonly path: string;
  /** Idempotent. */
  release(): void;
}

const held = new Set<FolderLock>();
process.on('exit', () => {
  for (const lock of held) lock.release();
});

/**
 * Locks `folder`, which is created if missing.
 *
 * @param name File name of the lock. Locks of different names don't concern each other.
 * @throws STAINFOLD_LOCKED naming the owner's pid while a live process (this one included) holds it, or one on another host does,
 *   of which nothing can be known. STAINFOLD_FILE_WRITE when the folder can't be written.
 */
export async function lockFolder(folder: string, name = '.stainfold-lock'): Promise<FolderLock> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw writeFailure(folder, error);
  }
  const path = join(folder, name);
  return hold(path, await take(path, folder));
}

function hold(path: string, token: string): FolderLock {
  const lock: FolderLock = {
    path,
    release() {
      if (held.delete(lock)) free(path, token);
    },
    [Symbol.dispose]() {
      lock.release();
    },
  };
  held.add(lock);
  return lock;
}

async function take(path: string, folder: string): Promise<string> {
  const mine = thisOwner();
  for (;;) {
    if (create(path, mine)) return mine.token;
    const owner = readOwner(path);
    if (owner === undefined) continue; // released between the two calls
    if (isAlive(owner)) throw lockedBy(owner, path, folder);

    const claim = `${path}.${owner.token}`;
    let claimToken: string;
    try {
      claimToken = await take(claim, folder);
    } catch (error) {
      if (!(error instanceof StainfoldError) || error.code !== 'STAINFOLD_LOCKED') throw error;
      await sleep(5); // its holder is in the middle of the few calls below
      continue;
    }
    try {
      if (readOwner(path)?.token === owner.token) {
        replace(path, mine);
        return mine.token;
      }
    } finally {
      free(claim, claimToken);
    }
  }
}

/** Content and existence appear in one step: a link to a finished file. False if there is a lock already. */
function create(path: string, owner: Owner): boolean {
  return withFile(path, owner, (beside) => {
    try {
      linkSync(beside, path);
      return true;
    } catch (error) {
      if (errorCode(error) === 'EEXIST') return false;
      throw error;
    }
  });
}

function replace(path: string, owner: Owner): void {
  withFile(path, owner, (beside) => renameSync(beside, path));
}

function withFile<Result>(path: string, owner: Owner, use: (beside: string) => Result): Result {
  const beside = `${path}.${owner.token}.new`;
  try {
    writeFileSync(beside, JSON.stringify(owner), { flag: 'wx' });
    return use(beside);
  } catch (error) {
    throw writeFailure(path, error);
  } finally {
    rmSync(beside, { force: true });
  }
}

function free(path: string, token: string): void {
  if (readOwner(path)?.token === token) rmSync(path, { force: true });
}

/** Undefined when there is no lock. A file that names no owner can only be foreign: it counts as a dead owner's. */
function readOwner(path: string): Owner | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw writeFailure(path, error);
  }
  try {
    const owner: unknown = JSON.parse(text);
    if (isOwner(owner)) return owner;
  } catch {
    // not JSON: below
  }
  return { token: 'unreadable', pid: 0, host: hostname(), start: '', since: '' };
}

function isOwner(value: unknown): value is Owner {
  if (typeof value !== 'object' || value === null) return false;
  const { token, pid, host, start } = value as Partial<Owner>;
  const typed = typeof token === 'string' && typeof pid === 'number' && typeof host === 'string';
  return typed && typeof start === 'string' && /^[0-9a-f]+$/.test(token);
}

function thisOwner(): Owner {
  const token = randomBytes(8).toString('hex');
  const start = processStart(process.pid);
  return { token, pid: process.pid, host: hostname(), start, since: new Date().toISOString() };
}

function isAlive(owner: Owner): boolean {
  if (owner.host !== hostname()) return true; // can't be known from here; the error says which file to delete
  if (owner.pid <= 0) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
  return owner.start === '' || owner.start === processStart(owner.pid);
}

/** Boot id and start time in clock ticks since that boot; 'dead' for a zombie; empty where /proc has none. */
function processStart(pid: number): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Fields 3 (state) and 22; the second, the command's name, may hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'dead' : `${boot}:${fields[19]}`;
  } catch {
    return '';
  }
}

function lockedBy(owner: Owner, path: string, folder: string): StainfoldError {
  const where = owner.host === hostname() ? '' : ` on ${owner.host}`;
  const detail = `${folder} is in use by process ${owner.pid}${where} since ${owner.since}`;
  const foreign = `Wait for that process; if it is gone, delete ${path}.`;
  return new StainfoldError('STAINFOLD_LOCKED', detail, where === '' ? {} : { hint: foreign });
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
