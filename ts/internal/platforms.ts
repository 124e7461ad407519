/**
 * The packages that hold the binaries, one a platform and variant. npm picks among the optional dependencies by os, cpu and libc; a
 * CUDA package is nobody's dependency, so that who has no GPU never downloads it: `stainfold setup` or the user adds it.
 */
import type { LibTorchVariant } from '../libtorch/layout.js';

export interface PlatformPackage {
  /** `@stainfold/linux-x64-cpu` */
  name: string;
  variant: LibTorchVariant;
  os: NodeJS.Platform;
  cpu: NodeJS.Architecture;
  /** The C library, on Linux: LibTorch needs glibc. */
  libc?: 'glibc';
}

export const PLATFORM_PACKAGES: readonly PlatformPackage[] = [
  { name: '@stainfold/linux-x64-cpu', variant: 'cpu', os: 'linux', cpu: 'x64', libc: 'glibc' },
  { name: '@stainfold/linux-x64-cu130', variant: 'cu130', os: 'linux', cpu: 'x64', libc: 'glibc' },
  { name: '@stainfold/linux-arm64-cpu', variant: 'cpu', os: 'linux', cpu: 'arm64', libc: 'glibc' },
  { name: '@stainfold/darwin-arm64', variant: 'cpu', os: 'darwin', cpu: 'arm64' },
  { name: '@stainfold/win32-x64-cpu', variant: 'cpu', os: 'win32', cpu: 'x64' },
  { name: '@stainfold/win32-x64-cu130', variant: 'cu130', os: 'win32', cpu: 'x64' },
];

/** Those that can run here, the CPU's first. */
export function packagesHere(
  os: NodeJS.Platform = process.platform,
  cpu: NodeJS.Architecture = process.arch as NodeJS.Architecture,
): PlatformPackage[] {
  return PLATFORM_PACKAGES.filter((one) => one.os === os && one.cpu === cpu);
}

/** Whether the main package depends on it, optionally: on all but CUDA's. */
export function isDefault({ variant }: PlatformPackage): boolean {
  return variant === 'cpu';
}
