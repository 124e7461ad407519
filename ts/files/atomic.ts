/**
 * Files that are whole or absent: written beside their place, synced, then renamed over it. A crash or a full disk leaves
 * what was there before.
 */
import { randomBytes } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { StainfoldError } from '../errors.js';

/**
 * Lets `write` fill a new file, through its handle or by its path, and puts it in the place of `path`. The folder must exist.
 *
 * @throws STAINFOLD_FILE_WRITE when the system refuses (full disk, permissions, a missing folder). Errors of `write` that are not
 *   the file system's pass unchanged. Either way the temporary file is gone and `path` is as it was.
 */
export async function replaceFile(
  path: string,
  write: (file: FileHandle, beside: string) => Promise<void>,
): Promise<void> {
  const beside = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(beside, 'wx');
    try {
      await write(file, beside);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(beside, { force: true }).catch(() => undefined);
    throw writeFailure(path, error);
  }
}

/**
 * Lets `write` fill a new folder and puts it in the place of `path`, a folder or nothing; otherwise as {@link replaceFile}. Who
 * reads `path` in the very moment of a replacement may find nothing there.
 */
export async function replaceFolder(path: string, write: (folder: string) => Promise<void>): Promise<void> {
  const beside = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  const before = `${beside}.old`;
  try {
    await mkdir(beside);
    await write(beside);
    const replaced = await renameIfThere(path, before);
    try {
      await rename(beside, path);
    } catch (error) {
      if (replaced) await rename(before, path);
      throw error;
    }
    await syncFolder(dirname(path));
    if (replaced) await rm(before, { recursive: true, force: true });
  } catch (error) {
    await rm(beside, { recursive: true, force: true }).catch(() => undefined);
    throw writeFailure(path, error);
  }
}

async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

/** Writes `data` (text, bytes, or pieces in order) as the whole content of `path`; otherwise as {@link replaceFile}. */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  await replaceFile(path, async (file) => {
    const pieces = typeof data === 'string' || data instanceof Uint8Array ? [data] : data;
    for await (const piece of pieces) await file.writeFile(piece); // each continues where the last one ended
  });
}

/** `error` as STAINFOLD_FILE_WRITE if the file system raised it, else unchanged. */
export function writeFailure(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return error;
  const code = error.syscall === 'mkdir' && error.code === 'ENOENT' ? refusal(path) : String(error.code);
  const reason = REASONS[code];
  // Connections and processes fail by system calls, too, and with some of the same codes.
  if (reason === undefined || /^(?:connect|getaddrinfo|listen|spawn)/.test(String(error.syscall)))
    return error;
  return new StainfoldError('STAINFOLD_FILE_WRITE', `Cannot write ${path}: ${reason} (${code})`, {
    cause: error,
  });
}

/** Node's recursive mkdir calls it a missing folder where the file system is read-only. */
function refusal(path: string): string {
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    try {
      accessSync(folder, constants.W_OK);
      return 'ENOENT';
    } catch (error) {
      const { code = 'ENOENT' } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' || folder === dirname(folder)) return code;
    }
  }
}

const REASONS: Record<string, string> = {
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file system takes no file of that size',
  EIO: 'the device failed',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'a part of the path is a file',
  EISDIR: 'it is a folder',
  ENOTEMPTY: 'it is a folder that holds files',
  EEXIST: 'something is there already',
  ENAMETOOLONG: 'the name is too long',
  EMFILE: 'too many files are open',
};

/** A rename survives a power cut only once its folder is synced, too. Some file systems refuse to: then it is as durable as they get. */
async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(folder, 'r');
    await handle.sync();
  } catch {
    return;
  } finally {
    await handle?.close();
  }
}
