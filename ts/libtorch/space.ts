/** Disk space and network: what an install of LibTorch needs of the machine. */
import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { answers, packageIndex } from './download.js';
import type { Release } from './pins.js';

/** Room for the downloads and what they unpack to. */
export const NEEDED_BYTES: Readonly<Record<Release['variant'], number>> = {
  cpu: 2 ** 30,
  cu130: 8 * 2 ** 30,
};

/** Free bytes where `folder` is or would be made, and whether it is there. */
export async function freeSpace(folder: string): Promise<{ bytes: number; exists: boolean }> {
  let there = folder;
  while (!existsSync(there)) there = dirname(there);
  const { bavail, bsize } = await statfs(there);
  return { bytes: bavail * bsize, exists: there === folder };
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
