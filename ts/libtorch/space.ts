/** Disk space and network: what an install of LibTorch needs of the machine. */
import { constants, existsSync } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { answers, packageIndex } from './download.js';
import type { Release } from './pins.js';

/** What the archives unpack to, as measured, and a little more. */
const UNPACKED_BYTES: Readonly<Record<Release['variant'], number>> = { cpu: 0.5e9, cu130: 4.8e9 };

/** Room for the downloads, unless they are on this machine already, and what they unpack to. */
export function neededBytes(release: Release, from?: string): number {
  const local = from !== undefined && !/^https?:/.test(from);
  return UNPACKED_BYTES[release.variant] + (local ? 0 : downloadBytes(release));
}

export interface Space {
  bytes: number;
  /** Whether the folder is there already. */
  exists: boolean;
  /** Why nothing can be written there; null where something can. */
  obstacle: string | null;
}

/** Where `folder` is or would be made. */
export async function freeSpace(folder: string): Promise<Space> {
  let there = folder;
  while (!existsSync(there)) there = dirname(there);
  const { bavail, bsize } = await statfs(there);
  const obstacle = await access(there, constants.W_OK | constants.X_OK).then(
    () => null,
    (error: NodeJS.ErrnoException) => (error.code === 'EROFS' ? 'a read-only file system' : 'no permission'),
  );
  return { bytes: bavail * bsize, exists: there === folder, obstacle };
}

/** Total of the archives of a release. */
export function downloadBytes(release: Release): number {
  return release.wheels.reduce((sum, wheel) => sum + wheel.bytes, 0);
}

/** Whether the server that a release comes from answers within seconds; `reason`: why it doesn't. */
export async function probeServer(
  release: Release,
  signal?: AbortSignal,
): Promise<{ host: string; reason: string | null }> {
  const address = new URL(release.wheels[0]?.url ?? `${packageIndex()}/torch/`);
  return { host: address.host, reason: await answers(address.href, signal) };
}
