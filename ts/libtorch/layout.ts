/**
 * What a LibTorch folder looks like. Two layouts are in use: the Python wheel's (torch/lib, torch/version.py) and the C++
 * archive's (libtorch/lib, libtorch/build-version). Both have lib and include below one root.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { StainfoldError } from '../errors.js';

/** `cpu`, or the CUDA release it was built with: `cu130`. */
export type LibTorchVariant = 'cpu' | `cu${string}`;

export interface LibTorchTree {
  /** The folder that holds lib and include. */
  root: string;
  lib: string;
  include: string;
  /** `2.13.0` */
  version: string;
  variant: LibTorchVariant;
}

/** Minor versions whose C++ interface the sources compile against; each end is tested. */
export const SUPPORTED = { from: '2.11', to: '2.14' } as const;

/** The tree at `folder`, in it as `torch/` or `libtorch/`, or undefined. Doesn't check the version. */
export function inspectTree(folder: string): LibTorchTree | undefined {
  for (const root of [folder, join(folder, 'torch'), join(folder, 'libtorch')].map((path) => resolve(path))) {
    const lib = join(root, 'lib');
    if (!existsSync(join(lib, libraryName('torch_cpu')))) continue;
    const build = readBuild(root);
    if (build) return { root, lib, include: join(root, 'include'), ...build };
  }
  return undefined;
}

/** @throws STAINFOLD_LIBTORCH_VERSION when `version` is outside the supported range. */
export function checkVersion(version: string, where: string): void {
  const minor = minorOf(version);
  if (compareVersions(minor, SUPPORTED.from) >= 0 && compareVersions(minor, SUPPORTED.to) <= 0) return;
  throw new StainfoldError('STAINFOLD_LIBTORCH_VERSION', `The LibTorch in ${where} is version ${version}`);
}

/** `2.13` of `2.13.0`: what binaries must agree on. */
export function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

/** Negative, zero or positive, number by number. */
export function compareVersions(a: string, b: string): number {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function libraryName(name: string): string {
  if (process.platform === 'win32') return `${name}.dll`;
  return process.platform === 'darwin' ? `lib${name}.dylib` : `lib${name}.so`;
}

function readBuild(root: string): Pick<LibTorchTree, 'version' | 'variant'> | undefined {
  // `__version__ = '2.14.1+cu130'` in the wheel, `2.14.1+cu130` alone in the archive.
  const stated =
    read(join(root, 'version.py'))?.match(/^__version__\s*=\s*['"]([^'"]+)['"]/m)?.[1] ??
    read(join(root, 'build-version'))?.trim();
  const [, version, local] = stated?.match(/^(\d+\.\d+\.\d+)[^+]*(?:\+(.+))?$/) ?? [];
  if (version === undefined) return undefined;
  if (local !== undefined && /^cu\d+$/.test(local)) return { version, variant: local as LibTorchVariant };
  // Builds without a local version (from source, from conda) show by their libraries what they are.
  const cuda = read(join(root, 'version.py'))?.match(/^cuda\b.*=\s*['"](\d+)\.(\d+)/m);
  if (cuda) return { version, variant: `cu${cuda[1]}${cuda[2]}` };
  return { version, variant: existsSync(join(root, 'lib', libraryName('torch_cuda'))) ? 'cuda' : 'cpu' };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
