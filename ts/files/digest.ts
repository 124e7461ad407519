/** SHA-256 of files, streamed. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

export interface DigestOptions {
  signal?: AbortSignal | undefined;
  /** Called with the bytes read so far. */
  onProgress?: ((done: number) => void) | undefined;
}

/** SHA-256 of a file's content: 64 hexadecimal digits, lower case. Memory stays at one buffer of 1 MiB. */
export async function sha256File(path: string, options: DigestOptions = {}): Promise<string> {
  const hash = createHash('sha256');
  let done = 0;
  await pipeline(
    createReadStream(path, { highWaterMark: 1 << 20 }),
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        hash.update(chunk);
        done += chunk.length;
        options.onProgress?.(done);
      }
    },
    options.signal ? { signal: options.signal } : {},
  );
  return hash.digest('hex');
}
