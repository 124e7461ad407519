/** HTTP downloads that continue where they were cut off, through the proxy that the environment names. */
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EnvHttpProxyAgent, fetch, type Response } from 'undici';
import { writeFailure } from '../files/atomic.js';

export interface DownloadOptions {
  signal?: AbortSignal | undefined;
  /** Bytes of the file so far, those of an earlier attempt included, and in all (0 if unknown). */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/** A stalled connection is given up after this long, and taken up again by the next attempt. */
const STALL_MS = 30_000;
const ATTEMPTS = 4;

/**
 * Downloads `url` to `path`. Until it is complete the bytes stand in `path.part`, which a later call continues.
 *
 * @throws Error with the server's or the network's reason once the attempts are used up; STAINFOLD_FILE_WRITE; the signal's reason.
 */
export async function download(url: string, path: string, options: DownloadOptions = {}): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const agent = newAgent();
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        await attemptDownload(url, path, agent, options);
        return;
      } catch (error) {
        options.signal?.throwIfAborted();
        if (attempt === ATTEMPTS || !isTransient(error)) throw writeFailure(path, unwrapped(error));
        await sleep(250 * 2 ** attempt, undefined, options.signal ? { signal: options.signal } : {});
      }
    }
  } finally {
    await agent.close();
  }
}

/** The package index: PIP_INDEX_URL if set, so that a mirror is used here, too. */
export function packageIndex(): string {
  return (process.env.PIP_INDEX_URL ?? 'https://pypi.org/simple').replace(/\/$/, '');
}

/** Null if there is an answer from `url` within seconds, else why there is none. */
export async function answers(url: string, signal?: AbortSignal): Promise<string | null> {
  const agent = newAgent();
  const timeout = AbortSignal.timeout(5000);
  try {
    const response = await fetch(url, {
      method: 'HEAD',
      dispatcher: agent,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    return response.ok ? null : new HttpError(response).message;
  } catch (error) {
    signal?.throwIfAborted();
    if (timeout.aborted) return 'no answer within 5 s';
    const cause = unwrapped(error);
    return cause instanceof Error ? cause.message : String(cause);
  } finally {
    await agent.destroy();
  }
}

/** Address of `file` in the package index (the simple API, JSON or HTML), or undefined if the project's page doesn't list it. */
export async function findInIndex(
  project: string,
  file: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const agent = newAgent();
  try {
    const response = await fetch(`${packageIndex()}/${project}/`, {
      dispatcher: agent,
      headers: { accept: 'application/vnd.pypi.simple.v1+json, text/html;q=0.5' },
      ...(signal ? { signal } : {}),
    });
    if (!response.ok) throw new HttpError(response);
    const page = await response.text();
    const json = response.headers.get('content-type')?.includes('json') ?? false;
    const hrefs = json
      ? (JSON.parse(page) as { files: { url: string }[] }).files.map((listed) => listed.url)
      : [...page.matchAll(/href="([^"]+)"/g)].map((match) => match[1] ?? '');
    const addresses = hrefs.map((href) => new URL(href, response.url));
    const found = addresses.find((address) => decodeURIComponent(address.pathname).endsWith(`/${file}`));
    return found ? found.href.replace(/#.*$/, '') : undefined;
  } catch (error) {
    signal?.throwIfAborted();
    throw unwrapped(error);
  } finally {
    await agent.close();
  }
}

class HttpError extends Error {
  readonly status: number;
  constructor(response: Response) {
    super(`${response.url} answered ${response.status} ${response.statusText}`.trim());
    this.status = response.status;
  }
}

class CutOff extends Error {}

async function attemptDownload(
  url: string,
  path: string,
  agent: EnvHttpProxyAgent,
  options: DownloadOptions,
): Promise<void> {
  const part = `${path}.part`;
  const have = await size(part);
  const response = await fetch(url, {
    dispatcher: agent,
    // Ranges count bytes of the file itself, so no compression on the way.
    headers: { 'accept-encoding': 'identity', ...(have > 0 ? { range: `bytes=${have}-` } : {}) },
    ...(options.signal ? { signal: options.signal } : {}),
  });
  if (response.status === 416) {
    // Nothing after what we have: it is complete, or was never the beginning of this file. The digest tells; if it is wrong,
    // the file is deleted and the next attempt begins anew.
    await response.body?.cancel();
    const total = Number(response.headers.get('content-range')?.match(/\/(\d+)$/)?.[1]);
    if (total !== have) await rm(part, { force: true });
    if (total !== have) throw new HttpError(response);
    await rename(part, path);
    return;
  }
  if (!response.ok || !response.body) throw new HttpError(response);
  const continues = response.status === 206 && rangeStart(response) === have;
  let done = continues ? have : 0;
  const length = Number(response.headers.get('content-length') ?? 0);
  const total = length > 0 ? done + length : 0;

  const file = await open(part, continues ? 'a' : 'w');
  try {
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      await file.writeFile(chunk);
      done += chunk.length;
      options.onProgress?.(done, total);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  if (total > 0 && done !== total) throw new CutOff(`${url} ended after ${done} of ${total} bytes`);
  await rename(part, path);
}

function newAgent(): EnvHttpProxyAgent {
  return new EnvHttpProxyAgent({
    headersTimeout: STALL_MS,
    bodyTimeout: STALL_MS,
    connect: { timeout: 15_000 },
  });
}

function rangeStart(response: Response): number {
  return Number(response.headers.get('content-range')?.match(/^bytes (\d+)-/)?.[1] ?? -1);
}

async function size(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}

/** Worth another attempt: cut connections, stalls, and a server's bad moment; not a name that doesn't resolve, nor a refusal. */
function isTransient(error: unknown): boolean {
  if (error instanceof HttpError) return error.status >= 500 || error.status === 429 || error.status === 416;
  const cause = unwrapped(error);
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (/^(?:ECONNRESET|EPIPE|ETIMEDOUT|UND_ERR_SOCKET|UND_ERR_(?:HEADERS|BODY)_TIMEOUT)$/.test(code))
    return true;
  return error instanceof CutOff;
}

/** fetch wraps the network's error in a TypeError that says only "fetch failed" or "terminated". */
function unwrapped(error: unknown): unknown {
  return error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
}
