/** Takes from an archive what running and compiling need, with a digest of every file. */
import { createHash } from 'node:crypto';
import { chmod, mkdir, open, stat, symlink } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import * as yauzl from 'yauzl';
import { StainfoldError } from '../errors.js';
import { writeFailure } from '../files/atomic.js';
import { sha256File } from '../files/digest.js';

export interface UnpackedFile {
  /** Relative to the install, with slashes. */
  path: string;
  bytes: number;
  sha256: string;
}

export interface UnpackOptions {
  signal?: AbortSignal | undefined;
  /** Called with the bytes written since the last call. */
  onBytes?: (bytes: number) => void;
}

/** Bindings to Python and test fixtures: nothing that a C++ program links. */
const UNUSED =
  /(?:^|\/)lib(?:torch_python|shm|aoti_custom_ops|backend_with_compiler|jitbackend_test|torchbind_test)\b|\/libshm(?:_windows)?\//;

/** Larger files are synced one by one; twelve thousand headers are not worth a sync each, and `verify` finds a torn one. */
const SYNC_FROM = 1 << 20;

/** True for what of a wheel or of the C++ archive is installed: libraries, headers, version and licences. */
export function isNeeded(path: string): boolean {
  if (path.endsWith('/') || UNUSED.test(path)) return false;
  if (/^(?:torch|libtorch)\/(?:include\/|lib\/|version\.py$|build-version$)/.test(path))
    return !path.endsWith('.a');
  if (/^nvidia\/[^/]+\/(?:lib|include)\//.test(path)) return !/\.(?:a|py)$/.test(path);
  return /\.dist-info\/(?:licenses\/|LICENSE|NOTICE|License)/.test(path);
}

/** Unpacked size of what is needed, so that progress has a total. */
export async function neededBytes(archive: string): Promise<number> {
  const zip = await openArchive(archive);
  try {
    return (await neededEntries(zip)).reduce((bytes, entry) => bytes + entry.uncompressedSize, 0);
  } catch (error) {
    throw asInstallError(archive, error);
  } finally {
    zip.close();
  }
}

/**
 * Unpacks into the folder `into`, which exists. Names that lead out of it are refused.
 *
 * @throws STAINFOLD_LIBTORCH_INSTALL when the archive is damaged; STAINFOLD_FILE_WRITE; the signal's reason.
 */
export async function unpack(
  archive: string,
  into: string,
  options: UnpackOptions = {},
): Promise<UnpackedFile[]> {
  const zip = await openArchive(archive);
  try {
    const needed = await neededEntries(zip);
    for (const folder of new Set(needed.map((entry) => dirname(entry.fileName)))) {
      await mkdir(join(into, folder), { recursive: true });
    }
    const entries = needed.filter((entry) => !isLink(entry));
    const files: UnpackedFile[] = [];
    let next = 0;
    const worker = async () => {
      try {
        while (next < entries.length) {
          options.signal?.throwIfAborted();
          const entry = entries[next++] as yauzl.Entry;
          files.push(await unpackEntry(zip, entry, into, options));
        }
      } catch (error) {
        next = entries.length; // the other one stops, too
        throw error;
      }
    };
    // Inflating runs on libuv's pool; two files at a time keep the cores busy while one waits for the disk. Both must have ended
    // before the archive is closed and the folder removed.
    const outcomes = await Promise.allSettled([worker(), worker()]);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    // Links come last, so that no file is written through one.
    const links = needed.filter(isLink);
    for (const entry of links) await makeLink(zip, entry, into);
    for (const { fileName: path } of links) {
      const { size } = await stat(join(into, path));
      files.push({
        path,
        bytes: size,
        sha256: await sha256File(join(into, path), { signal: options.signal }),
      });
    }
    return files.sort((a, b) => (a.path < b.path ? -1 : 1));
  } catch (error) {
    options.signal?.throwIfAborted();
    throw asInstallError(archive, writeFailure(into, error));
  } finally {
    zip.close();
  }
}

async function unpackEntry(
  zip: yauzl.ZipFile,
  entry: yauzl.Entry,
  into: string,
  options: UnpackOptions,
): Promise<UnpackedFile> {
  const path = join(into, entry.fileName);
  const hash = createHash('sha256');
  let checksum = 0;
  const file = await open(path, 'w');
  try {
    for await (const chunk of (await zip.openReadStreamPromise(entry)) as AsyncIterable<Buffer>) {
      options.signal?.throwIfAborted();
      hash.update(chunk);
      checksum = crc32(chunk, checksum);
      await file.writeFile(chunk);
      options.onBytes?.(chunk.length);
    }
    if (checksum !== entry.crc32) throw new Error(`${entry.fileName} has a wrong checksum`);
    if (entry.uncompressedSize >= SYNC_FROM) await file.sync();
  } finally {
    await file.close();
  }
  if (unixMode(entry) & 0o111) await chmod(path, 0o755);
  return { path: entry.fileName, bytes: entry.uncompressedSize, sha256: hash.digest('hex') };
}

async function makeLink(zip: yauzl.ZipFile, entry: yauzl.Entry, into: string): Promise<void> {
  const path = join(into, entry.fileName);
  const target = await text(await zip.openReadStreamPromise(entry));
  const inside = relative(into, resolve(dirname(path), target));
  if (isAbsolute(target) || inside.startsWith('..')) {
    throw new Error(`${entry.fileName} links out of the archive, to ${target}`);
  }
  await symlink(target, path);
}

function unixMode(entry: yauzl.Entry): number {
  return entry.externalFileAttributes >>> 16;
}

function isLink(entry: yauzl.Entry): boolean {
  return (unixMode(entry) & 0o170000) === 0o120000;
}

async function neededEntries(zip: yauzl.ZipFile): Promise<yauzl.Entry[]> {
  const entries: yauzl.Entry[] = [];
  for await (const entry of zip.eachEntry()) if (isNeeded(entry.fileName)) entries.push(entry);
  return entries;
}

async function openArchive(archive: string): Promise<yauzl.ZipFile> {
  try {
    return await yauzl.openPromise(archive, { lazyEntries: true, autoClose: false, strictFileNames: true });
  } catch (error) {
    throw asInstallError(archive, error);
  }
}

function asInstallError(archive: string, error: unknown): unknown {
  if (error instanceof StainfoldError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new StainfoldError('STAINFOLD_LIBTORCH_INSTALL', `${archive} cannot be unpacked: ${reason}`, {
    cause: error,
  });
}
