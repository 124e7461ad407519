// What the TypeScript interface adds to the native core, and how near a folder of JPEG files comes to its parts.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pixelBatches } from '../../../lib/api/tile-batches.js';
import { version } from '../../../lib/cli/version.js';
import { loadEncoder } from '../../../lib/index.js';

const WAYS = {
  /** Decoded tiles through encoder.embed(), in one native batch. */
  async interface(encoder, { tiles, batch }) {
    const { tileSize: side } = encoder.info;
    const data = readFileSync(tiles);
    const bytes = side * side * 3;
    const given = Array.from({ length: batch }, (_, i) => ({
      data: data.subarray(i * bytes, (i + 1) * bytes),
      width: side,
      height: side,
      channels: 3,
    }));
    return () => encoder.embed(given);
  },
  /** A stream of as many decoded tiles as are asked for, whose embeddings nobody keeps longer than the call. */
  async stream(encoder, { tiles, batch }) {
    const { tileSize: side } = encoder.info;
    const data = readFileSync(tiles);
    const bytes = side * side * 3;
    async function* stream(count) {
      for (let i = 0; i < count; i++) {
        const at = (i % batch) * bytes;
        yield { data: data.subarray(at, at + bytes), width: side, height: side, channels: 3 };
      }
    }
    return async (count = 10 * batch) => encoder.embed(stream(count));
  },
  /** Image files through encoder.embed(). */
  async files(encoder, { folder }) {
    const paths = pathsOf(folder);
    return () => encoder.embed(paths);
  },
  /** The same files decoded into batches, and nothing done with them. */
  async decode(encoder, { folder, batch }) {
    const paths = pathsOf(folder);
    const { tileSize } = encoder.info;
    return async () => {
      let done = 0;
      for await (const { count } of pixelBatches(paths, { tileSize, batchSize: batch })) done += count;
      if (done !== paths.length) throw new Error(`${done} of ${paths.length} files were decoded`);
    };
  },
};

const pathsOf = (folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.jpg'))
    .map((name) => join(folder, name));

export async function openTask(given) {
  const { way, weights, batch, threads, device, precision } = given;
  const encoder = await loadEncoder(weights, { batchSize: batch, threads, device, precision });
  const run = await WAYS[way](encoder, given);
  await run();
  const measure = async ({ count }) => {
    const before = process.cpuUsage();
    const begun = performance.now();
    const { data } = await run(count);
    const seconds = (performance.now() - begun) / 1000;
    const { user, system } = process.cpuUsage(before);
    return { seconds, cpu: (user + system) / 1e6, resident: process.memoryUsage.rss() - data.byteLength };
  };
  return {
    about: { version: version(), threads, precision: encoder.precision },
    run,
    measure,
    dispose: () => encoder.dispose(),
  };
}
