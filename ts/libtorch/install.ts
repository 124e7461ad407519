/**
 * Installs LibTorch into the user cache: obtain the wheels, unpack them in a staging folder, check what came out, rename. At
 * every moment the cache holds complete installs only; what a stopped install has downloaded is used by the next one.
 */
import { existsSync, statSync } from 'node:fs';
import { cp, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { StainfoldError } from '../errors.js';
import { writeFailure } from '../files/atomic.js';
import { sha256File } from '../files/digest.js';
import { download } from './download.js';
import { cacheFolder, type Environment } from './host.js';
import { checkVersion, inspectTree, type LibTorchTree } from './layout.js';
import {
  describeInstall,
  discard,
  type InstalledLibTorch,
  type InstallManifest,
  lockCache,
  writeManifest,
} from './manifest.js';
import { type Release, releaseFor } from './pins.js';
import { installFolder } from './resolve.js';
import { type Given, obtain } from './sources.js';
import { isNeeded, neededBytes, type UnpackedFile, unpack } from './unpack.js';

export interface InstallProgress {
  /** `download` counts the archives' bytes, `unpack` those of the files; of a folder each twice: copied, and read back. */
  stage: 'download' | 'unpack';
  done: number;
  total: number;
}

export interface InstallOptions {
  /** Default `auto`: cu130 where an NVIDIA driver 580 or newer is (Linux, x86-64), else cpu. */
  variant?: 'auto' | 'cpu' | 'cu130' | undefined;
  /**
   * Instead of the official servers: a folder, file or http(s) address. A folder or address holds the pinned wheels by their
   * names; a folder may also be an unpacked LibTorch, a file any LibTorch archive (.whl, .zip) of a supported version.
   */
  from?: string | undefined;
  /** Install again over a complete install. Default false. */
  force?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: InstallProgress) => void) | undefined;
  /** Default: process.env. */
  environment?: Environment;
}

/** An archive on disk, and whether its digest was known beforehand. */
interface Archive {
  path: string;
  sha256: string;
  pinned: boolean;
}

/**
 * @returns The install; at once when it is there already.
 * @throws STAINFOLD_LIBTORCH_INSTALL, STAINFOLD_LIBTORCH_DIGEST, STAINFOLD_LIBTORCH_VERSION, STAINFOLD_FILE_NOT_FOUND (`from`),
 *   STAINFOLD_FILE_WRITE, STAINFOLD_LOCKED while another process installs into the same cache, or the signal's reason.
 */
export function installLibTorch(options: InstallOptions = {}): Promise<InstalledLibTorch> {
  return installRelease(releaseFor(options.variant ?? 'auto'), options);
}

/** As installLibTorch, for a release given: the tests' own small ones. */
export async function installRelease(release: Release, options: InstallOptions): Promise<InstalledLibTorch> {
  options.signal?.throwIfAborted();
  const environment = options.environment ?? process.env;
  const name = `${release.version}-${release.variant}`;
  const present = describeInstall(join(installFolder(environment), name), name);
  if (present && !options.force && options.from === undefined) return present;

  using _lock = await lockCache(environment);
  const downloads = join(cacheFolder(environment), 'downloads');
  const staging = join(installFolder(environment), `.staging-${process.pid}`);
  try {
    await sweep(installFolder(environment), downloads);
    await mkdir(staging, { recursive: true });
    await mkdir(downloads, { recursive: true });
    const manifest = await fill(staging, release, downloads, options);
    options.signal?.throwIfAborted();
    await writeManifest(staging, manifest);
    const installed = await publish(staging, installFolder(environment), manifest);
    await rm(downloads, { recursive: true, force: true });
    return installed;
  } catch (error) {
    throw writeFailure(installFolder(environment), error);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Leftovers of processes that were killed. We hold the lock, so they are nobody's; partial downloads stay, to be continued. */
async function sweep(installs: string, downloads: string): Promise<void> {
  for (const folder of [installs, downloads]) {
    const names = existsSync(folder) ? await readdir(folder) : [];
    for (const name of names.filter((one) => /^\.(staging|removed|pip)-|\.pip$/.test(one))) {
      await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}

async function fill(
  staging: string,
  release: Release,
  downloads: string,
  options: InstallOptions,
): Promise<InstallManifest> {
  const given = options.from === undefined ? undefined : readGiven(options.from, release);
  if (given?.kind === 'tree') {
    const files = await copyTree(given.tree, staging, options);
    return describe(given.tree, [], files);
  }
  if (given === undefined) checkPlatform();
  const archives =
    given?.kind === 'archive'
      ? [await unpinnedArchive(given.from, downloads, options)]
      : await pinnedArchives(release, downloads, given, options);
  const files = await unpackAll(archives, staging, options);
  const tree = inspectTree(staging);
  if (!tree) {
    const names = archives.map((archive) => basename(archive.path)).join(', ');
    throw new StainfoldError(
      'STAINFOLD_LIBTORCH_INSTALL',
      `${names} held no LibTorch for ${process.platform}`,
    );
  }
  return describe(tree, archives, files);
}

function checkPlatform(): void {
  if (process.platform === 'linux' && process.arch === 'x64') return;
  throw new StainfoldError(
    'STAINFOLD_LIBTORCH_INSTALL',
    `The pinned LibTorch is for Linux on x86-64; this is ${process.platform} on ${process.arch}`,
    { hint: "Give a LibTorch of this platform, folder or archive, with '--from', or set LIBTORCH." },
  );
}

function describe(tree: LibTorchTree, archives: Archive[], files: UnpackedFile[]): InstallManifest {
  checkVersion(tree.version, tree.root);
  const sources = archives.map(({ path, sha256, pinned }) => ({ file: basename(path), sha256, pinned }));
  return { version: tree.version, variant: tree.variant, archives: sources, files };
}

function readGiven(
  from: string,
  release: Release,
): Given | { kind: 'tree'; tree: LibTorchTree } | { kind: 'archive'; from: string } {
  const isArchive = /\.(?:whl|zip)$/.test(from);
  const isPinned = release.wheels.some((wheel) => decodeURIComponent(basename(from)) === wheel.file);
  if (/^https?:\/\//.test(from)) {
    if (isPinned) return { kind: 'mirror', url: dirname(from) };
    return isArchive ? { kind: 'archive', from } : { kind: 'mirror', url: from };
  }
  const path = resolve(from);
  if (!existsSync(path)) throw new StainfoldError('STAINFOLD_FILE_NOT_FOUND', `'${from}' does not exist`);
  if (statSync(path).isFile()) return isPinned ? { kind: 'file', path } : { kind: 'archive', from: path };
  if (release.wheels.some((wheel) => existsSync(join(path, wheel.file)))) return { kind: 'folder', path };
  const tree = inspectTree(path);
  if (tree) return { kind: 'tree', tree };
  const wanted = release.wheels.map((wheel) => wheel.file).join(', ');
  throw new StainfoldError(
    'STAINFOLD_LIBTORCH_INSTALL',
    `${path} holds neither a LibTorch nor any of ${wanted}`,
  );
}

async function pinnedArchives(
  release: Release,
  downloads: string,
  given: Given | undefined,
  options: InstallOptions,
): Promise<Archive[]> {
  const total = release.wheels.reduce((sum, wheel) => sum + wheel.bytes, 0);
  const archives: Archive[] = [];
  let before = 0;
  let reported = 0;
  for (const wheel of release.wheels) {
    options.signal?.throwIfAborted();
    const report = (done: number) => {
      // A second source, and the digest, begin at zero again; a bar must not.
      reported = Math.max(reported, before + Math.min(done, wheel.bytes));
      options.onProgress?.({ stage: 'download', done: reported, total });
    };
    const path = await obtain(wheel, { downloads, given, signal: options.signal, onProgress: report });
    archives.push({ path, sha256: wheel.sha256, pinned: true });
    before += wheel.bytes;
    report(0);
  }
  return archives;
}

async function unpinnedArchive(from: string, downloads: string, options: InstallOptions): Promise<Archive> {
  let path = from;
  if (/^https?:/.test(from)) {
    path = join(downloads, decodeURIComponent(basename(new URL(from).pathname)));
    try {
      await download(from, path, {
        signal: options.signal,
        onProgress: (done, total) => options.onProgress?.({ stage: 'download', done, total }),
      });
    } catch (error) {
      options.signal?.throwIfAborted();
      if (error instanceof StainfoldError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new StainfoldError('STAINFOLD_LIBTORCH_INSTALL', `${from} could not be downloaded: ${reason}`, {
        cause: error,
      });
    }
  }
  return { path, sha256: await sha256File(path, { signal: options.signal }), pinned: false };
}

async function unpackAll(
  archives: Archive[],
  staging: string,
  options: InstallOptions,
): Promise<UnpackedFile[]> {
  let total = 0;
  for (const archive of archives) total += await neededBytes(archive.path);
  let done = 0;
  const files = new Map<string, UnpackedFile>();
  for (const archive of archives) {
    const unpacked = await unpack(archive.path, staging, {
      signal: options.signal,
      onBytes: (bytes) => {
        done += bytes;
        options.onProgress?.({ stage: 'unpack', done, total });
      },
    });
    // NVIDIA's wheels share a few files (licences, __init__); the later one is what is on disk.
    for (const file of unpacked) files.set(file.path, file);
  }
  return [...files.values()];
}

/** An unpacked LibTorch: its own folder, and NVIDIA's beside it, where torch's RPATH looks for them. */
async function copyTree(
  tree: LibTorchTree,
  staging: string,
  options: InstallOptions,
): Promise<UnpackedFile[]> {
  const base = dirname(tree.root);
  const own = existsSync(join(tree.root, 'version.py')) ? 'torch' : 'libtorch';
  const parts = [{ from: tree.root, to: own }];
  if (tree.variant !== 'cpu' && existsSync(join(base, 'nvidia')))
    parts.push({ from: join(base, 'nvidia'), to: 'nvidia' });

  const copies: { from: string; path: string; bytes: number }[] = [];
  for (const part of parts) {
    for (const entry of await readdir(part.from, { recursive: true, withFileTypes: true })) {
      if (entry.isDirectory()) continue;
      const from = join(entry.parentPath ?? entry.path, entry.name);
      const path = `${part.to}/${relative(part.from, from).split(sep).join('/')}`;
      if (isNeeded(path)) copies.push({ from, path, bytes: (await stat(from)).size });
    }
  }
  // Each byte is copied, and read back for its digest; links can be followed once all is there.
  const total = 2 * copies.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  const advance = (bytes: number) => {
    done += bytes;
    options.onProgress?.({ stage: 'unpack', done, total });
  };
  for (const { from, path, bytes } of copies) {
    options.signal?.throwIfAborted();
    await cp(from, join(staging, path), { verbatimSymlinks: true });
    advance(bytes);
  }
  const files: UnpackedFile[] = [];
  for (const { path, bytes } of copies.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const sha256 = await sha256File(join(staging, path), { signal: options.signal });
    files.push({ path, bytes, sha256 });
    advance(bytes);
  }
  return files;
}

async function publish(
  staging: string,
  installs: string,
  manifest: InstallManifest,
): Promise<InstalledLibTorch> {
  const name = `${manifest.version}-${manifest.variant}`;
  const folder = join(installs, name);
  if (existsSync(folder)) await discard(folder);
  await rename(staging, folder);
  const installed = describeInstall(folder, name);
  if (!installed)
    throw new StainfoldError('STAINFOLD_INTERNAL', `The install in ${folder} cannot be read back`);
  return installed;
}
