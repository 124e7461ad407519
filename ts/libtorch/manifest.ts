/** What is installed in the cache: list, verify, remove. */
import { readFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { StainfoldError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic.js';
import { sha256File } from '../files/digest.js';
import { lockFolder } from '../files/lock.js';
import { cacheFolder, type Environment } from './host.js';
import { inspectTree, type LibTorchTree, type LibTorchVariant } from './layout.js';
import { installFolder, resolveLibTorch } from './resolve.js';
import type { UnpackedFile } from './unpack.js';

/** Name of the file that makes an install complete: it is written last. */
const MANIFEST = 'stainfold.json';

/** What came from where, and every file. */
export interface InstallManifest {
  version: string;
  variant: LibTorchVariant;
  /** Archives with their digests; `pinned` if stainfold knew the digest beforehand. */
  archives: { file: string; sha256: string; pinned: boolean }[];
  files: UnpackedFile[];
}

export interface InstalledLibTorch extends LibTorchTree {
  /** `2.13.0-cpu`: what `remove` and `verify` take. */
  name: string;
  /** Folder of the install. */
  folder: string;
  /** On disk. */
  bytes: number;
}

export interface VerifyReport {
  folder: string;
  version: string;
  variant: LibTorchVariant;
  /** Files compared. */
  files: number;
  /** Paths relative to `folder`. All empty: every file is as it was installed. */
  missing: string[];
  changed: string[];
}

/** Complete installs in the cache, by name. */
export async function listLibTorch(environment: Environment = process.env): Promise<InstalledLibTorch[]> {
  const folder = installFolder(environment);
  const names = (await entries(folder)).filter((name) => !name.startsWith('.')).sort();
  return names.map((name) => describeInstall(join(folder, name), name)).filter((one) => one !== undefined);
}

export interface VerifyOptions {
  /** Of listLibTorch. Default: the LibTorch that would be used now. */
  name?: string | undefined;
  /** Sizes of all files, but digests of torch's own libraries alone: seconds less. Default false. */
  quick?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Bytes compared so far. */
  onProgress?: ((progress: { stage: 'verify'; done: number; total: number }) => void) | undefined;
  /** Default: process.env. */
  environment?: Environment;
}

/**
 * Compares an install with its manifest, byte for byte. Damage is reported, not thrown.
 *
 * @throws STAINFOLD_LIBTORCH_MISSING when there is none of that name, or the one in use was not installed by stainfold.
 */
export async function verifyLibTorch(options: VerifyOptions = {}): Promise<VerifyReport> {
  const { folder, manifest } = await findInstall(options.name, options.environment ?? process.env);
  const total = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  const report: VerifyReport = {
    folder,
    version: manifest.version,
    variant: manifest.variant,
    files: manifest.files.length,
    missing: [],
    changed: [],
  };
  let done = 0;
  for (const file of manifest.files) {
    options.signal?.throwIfAborted();
    const path = join(folder, file.path);
    const digest = !options.quick || /^(?:lib)?torch\/lib\//.test(file.path);
    const bytes = await stat(path).then(
      (found) => found.size,
      () => undefined,
    );
    if (bytes === undefined) report.missing.push(file.path);
    else if (bytes !== file.bytes) report.changed.push(file.path);
    else if (digest && (await sha256File(path, { signal: options.signal })) !== file.sha256) {
      report.changed.push(file.path);
    }
    done += file.bytes;
    options.onProgress?.({ stage: 'verify', done, total });
  }
  return report;
}

/**
 * Deletes an install.
 *
 * @throws STAINFOLD_LIBTORCH_MISSING when there is none of that name; STAINFOLD_LOCKED while another process installs or removes.
 */
export async function removeLibTorch(
  name: string,
  environment: Environment = process.env,
): Promise<{ folder: string }> {
  using _lock = await lockCache(environment);
  const folder = join(installFolder(environment), name);
  if (!(await listLibTorch(environment)).some((one) => one.name === name))
    throw await noInstall(name, environment);
  await discard(folder);
  return { folder };
}

/** One process at a time changes a cache. */
export function lockCache(environment: Environment) {
  return lockFolder(cacheFolder(environment), 'libtorch.lock');
}

/** Out of sight in one step, then deleted: a cut-off deletion leaves no half install. */
export async function discard(folder: string): Promise<void> {
  const gone = join(folder, '..', `.removed-${process.pid}-${Date.now()}`);
  await rename(folder, gone);
  await rm(gone, { recursive: true, force: true });
}

export async function writeManifest(folder: string, manifest: InstallManifest): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFileAtomic(join(folder, MANIFEST), `${JSON.stringify(manifest)}\n`);
}

/** The install in `folder`, or undefined when it is not complete. */
export function describeInstall(folder: string, name: string): InstalledLibTorch | undefined {
  const manifest = readManifest(folder);
  const tree = manifest ? inspectTree(folder) : undefined;
  if (!manifest || !tree) return undefined;
  return { ...tree, name, folder, bytes: manifest.files.reduce((sum, file) => sum + file.bytes, 0) };
}

export function readManifest(folder: string): InstallManifest | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8')) as InstallManifest;
  } catch {
    return undefined;
  }
}

async function findInstall(
  name: string | undefined,
  environment: Environment,
): Promise<{ folder: string; manifest: InstallManifest }> {
  if (name !== undefined) {
    const folder = join(installFolder(environment), name);
    const manifest = readManifest(folder);
    if (!manifest) throw await noInstall(name, environment);
    return { folder, manifest };
  }
  const { root } = resolveLibTorch({ environment });
  const folder = join(root, '..');
  const manifest = readManifest(folder);
  if (manifest) return { folder, manifest };
  throw new StainfoldError(
    'STAINFOLD_LIBTORCH_MISSING',
    `The LibTorch in use, ${root}, was not installed by stainfold, so there are no digests to compare with`,
  );
}

async function noInstall(name: string, environment: Environment): Promise<StainfoldError> {
  const names = (await listLibTorch(environment)).map((one) => one.name);
  const there = names.length === 0 ? 'nothing is installed' : `installed: ${names.join(', ')}`;
  const detail = `No LibTorch named '${name}' in ${installFolder(environment)}; ${there}`;
  return new StainfoldError('STAINFOLD_LIBTORCH_MISSING', detail);
}

async function entries(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    return [];
  }
}
