/**
 * Where a pinned wheel comes from, in order: an earlier download, what the user gave, pip, straight HTTPS. Whatever the
 * source, the digest decides.
 */
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StainfoldError } from '../errors.js';
import { sha256File } from '../files/digest.js';
import { download, findInIndex } from './download.js';
import type { PinnedWheel } from './pins.js';
import { pipDownload } from './pip.js';

/** What `--from` names. */
export type Given =
  | { kind: 'folder'; path: string }
  | { kind: 'file'; path: string }
  /** A mirror: the wheels stand below it by their names. */
  | { kind: 'mirror'; url: string };

export interface ObtainOptions {
  /** Folder of downloads; exists. */
  downloads: string;
  given?: Given | undefined;
  signal?: AbortSignal | undefined;
  /** Bytes of this wheel so far. */
  onProgress?: ((done: number) => void) | undefined;
}

/**
 * A local file with the pinned digest.
 *
 * @throws STAINFOLD_LIBTORCH_DIGEST when what the user gave, or the official server sent, is not the pinned file;
 *   STAINFOLD_LIBTORCH_INSTALL with each source's reason when none has it; the signal's reason.
 */
export async function obtain(wheel: PinnedWheel, options: ObtainOptions): Promise<string> {
  const path = join(options.downloads, wheel.file);
  if (existsSync(path)) {
    if ((await digestOf(path, options)) === wheel.sha256) return path;
    await rm(path);
  }
  const { given } = options;
  if (given && given.kind !== 'mirror') {
    const local = given.kind === 'file' ? given.path : join(given.path, wheel.file);
    if (given.kind === 'folder' || local.endsWith(wheel.file)) {
      if (existsSync(local)) return checked(wheel, local, options);
    }
  }
  if (given?.kind === 'mirror') {
    const url = `${given.url.replace(/\/$/, '')}/${encodeURIComponent(wheel.file)}`;
    return fetched(wheel, url, path, options);
  }

  const pip = await attempt(options, () => viaPip(wheel, path, options));
  if (pip === undefined) return path;
  const straight = await attempt(options, async () => {
    const url = wheel.url ?? (await findInIndex(wheel.project, wheel.file, options.signal));
    if (url === undefined) throw new Error('the package index does not list it');
    await fetched(wheel, url, path, options);
  });
  if (straight === undefined) return path;
  const detail = `${wheel.file} could not be had: pip: ${pip}; HTTPS: ${straight}`;
  throw new StainfoldError('STAINFOLD_LIBTORCH_INSTALL', detail);
}

/** The reason of the failure, or undefined. What must not be survived passes: a wrong digest, a full disk, the user's stop. */
async function attempt(options: ObtainOptions, work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof StainfoldError) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}

async function viaPip(wheel: PinnedWheel, path: string, options: ObtainOptions): Promise<void> {
  const scratch = join(options.downloads, `.pip-${process.pid}`);
  const unproven = `${path}.pip`;
  await pipDownload(wheel, unproven, scratch, { signal: options.signal, onProgress: options.onProgress });
  // A site may serve a rebuilt wheel under the same name: not an attack, and the official server is still to be asked.
  const sha256 = await digestOf(unproven, options);
  if (sha256 !== wheel.sha256) {
    await rm(unproven);
    throw new Error(`has SHA-256 ${sha256} instead of ${wheel.sha256}`);
  }
  await rename(unproven, path);
}

async function fetched(
  wheel: PinnedWheel,
  url: string,
  path: string,
  options: ObtainOptions,
): Promise<string> {
  try {
    await download(url, path, { signal: options.signal, onProgress: options.onProgress });
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof StainfoldError || options.given?.kind !== 'mirror') throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new StainfoldError('STAINFOLD_LIBTORCH_INSTALL', `${url} could not be downloaded: ${reason}`, {
      cause: error,
    });
  }
  try {
    return await checked(wheel, path, options);
  } catch (error) {
    if (error instanceof StainfoldError) await rm(path, { force: true }); // ours, and of no use
    throw error;
  }
}

async function checked(wheel: PinnedWheel, path: string, options: ObtainOptions): Promise<string> {
  const sha256 = await digestOf(path, options);
  if (sha256 === wheel.sha256) return path;
  const detail = `${path} has SHA-256 ${sha256} instead of ${wheel.sha256}`;
  throw new StainfoldError('STAINFOLD_LIBTORCH_DIGEST', detail);
}

function digestOf(path: string, { signal, onProgress }: ObtainOptions): Promise<string> {
  return sha256File(path, { signal, onProgress });
}
