/** What of this machine decides which LibTorch fits. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The CUDA build that stainfold installs. */
export const CUDA_VARIANT = 'cu130';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Folder of installed LibTorches and downloads: STAINFOLD_CACHE, else the platform's user cache. May not exist. */
export function cacheFolder(environment: Environment = process.env): string {
  if (environment.STAINFOLD_CACHE) return resolve(environment.STAINFOLD_CACHE);
  if (environment.XDG_CACHE_HOME) return join(environment.XDG_CACHE_HOME, 'stainfold');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'stainfold');
  if (process.platform === 'win32') {
    return join(environment.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'stainfold', 'cache');
  }
  return join(homedir(), '.cache', 'stainfold');
}

/** Version of the NVIDIA kernel driver, `present` where only its library shows, or null. */
export function nvidiaDriver(): string | null {
  try {
    const text = readFileSync('/proc/driver/nvidia/version', 'utf8');
    return text.match(/Module.*?\s(\d+\.\d+(?:\.\d+)?)\s/)?.[1] ?? 'present';
  } catch {
    // WSL and containers have the library without the file.
    const folders = [
      '/usr/lib/x86_64-linux-gnu',
      '/usr/lib64',
      '/usr/lib/wsl/lib',
      '/usr/lib/aarch64-linux-gnu',
    ];
    return folders.some((folder) => existsSync(join(folder, 'libcuda.so.1'))) ? 'present' : null;
  }
}

/** CUDA 13's oldest driver, which NVIDIA's release notes name. */
export const DRIVER_MINIMUM = 580;

/** What `auto` means here, and why. */
export function recommendedVariant(driver: string | null = nvidiaDriver()): {
  variant: 'cpu' | typeof CUDA_VARIANT;
  reason: string;
} {
  if (driver === null) return { variant: 'cpu', reason: 'no NVIDIA driver' };
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return { variant: 'cpu', reason: `CUDA is untried on ${process.platform} ${process.arch}` };
  }
  const major = Number.parseInt(driver, 10); // NaN where only its library shows
  if (major < DRIVER_MINIMUM) {
    return {
      variant: 'cpu',
      reason: `NVIDIA driver ${driver} is too old for CUDA 13, which needs ${DRIVER_MINIMUM}`,
    };
  }
  return { variant: CUDA_VARIANT, reason: `NVIDIA driver ${driver}` };
}

/** What `auto` means here. */
export function autoVariant(): 'cpu' | typeof CUDA_VARIANT {
  return recommendedVariant().variant;
}
