/** Downloads through the site's pip, whose index, mirrors, find-links and certificates are thereby used. */
import { spawn } from 'node:child_process';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PinnedWheel } from './pins.js';

export interface PipOptions {
  signal?: AbortSignal | undefined;
  /** Bytes on disk so far. */
  onProgress?: ((done: number) => void) | undefined;
}

/**
 * Puts the wheel at `path`. Whatever Python this is: the wheel's own tags are asked for.
 *
 * @param scratch A folder of this call alone on the disk of `path`; made and removed here.
 * @throws Error with pip's last word when there is no python3 or pip has no such wheel; the signal's reason.
 */
export async function pipDownload(
  wheel: PinnedWheel,
  path: string,
  scratch: string,
  options: PipOptions = {},
): Promise<void> {
  const temporary = join(scratch, 'tmp');
  await mkdir(temporary, { recursive: true });
  const watch = setInterval(async () => options.onProgress?.(await bytesBelow(scratch)), 500);
  try {
    await python(pipArguments(wheel, scratch), temporary, options.signal);
    await rename(join(scratch, wheel.file), path);
  } finally {
    clearInterval(watch);
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Exported for its test. */
export function pipArguments(wheel: PinnedWheel, folder: string): string[] {
  const platforms =
    wheel.file
      .replace(/\.whl$/, '')
      .split('-')
      .at(-1)
      ?.split('.') ?? [];
  return [
    ...['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:'],
    ...['--python-version', '3.11', '--implementation', 'cp', '--abi', 'cp311'],
    ...platforms.flatMap((platform) => ['--platform', platform]),
    // pip's defaults wait for minutes where an index can't be reached.
    ...[
      '--retries',
      '0',
      '--timeout',
      '15',
      '--no-input',
      '--progress-bar',
      'off',
      '--disable-pip-version-check',
    ],
    ...(wheel.index ? ['--extra-index-url', wheel.index] : []),
    ...['--dest', folder, `${wheel.project}==${wheel.version}`],
  ];
}

function python(args: string[], temporary: string, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    // pip collects a download in its temporary folder; there it can be watched, and goes with the rest.
    const env = { ...process.env, TMPDIR: temporary };
    const child = spawn('python3', args, {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(signal ? { signal } : {}),
    });
    let said = '';
    child.stderr.on('data', (data: Buffer) => {
      said = (said + data).slice(-4000);
    });
    child.on('error', (error) => reject(signal?.aborted ? signal.reason : unstarted(error)));
    child.on('close', (code) => {
      if (code === 0) return resolve();
      const last = said.match(/^ERROR: (.+)$/gm)?.at(-1) ?? said.trim().split('\n').at(-1);
      reject(signal?.aborted ? signal.reason : new Error(last || `pip ended with status ${code}`));
    });
  });
}

function unstarted(error: NodeJS.ErrnoException): Error {
  return error.code === 'ENOENT' ? new Error('there is no python3') : error;
}

async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0;
  try {
    for (const name of await readdir(folder, { recursive: true }))
      bytes += (await stat(join(folder, name))).size;
  } catch {
    // pip moves its files while we look
  }
  return bytes;
}
