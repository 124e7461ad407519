// Makes image files for tests.
import { mkdtempSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';

/** A folder that is removed after the test. */
export async function temporaryFolder(t) {
  const folder = await mkdtemp(join(tmpdir(), 'stainfold-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder for all tests of a file, removed after the last. */
export function sharedFolder(test) {
  const folder = mkdtempSync(join(tmpdir(), 'stainfold-test-'));
  test.after.always(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Pixels that no two seeds share. */
export function pixels(size, seed, channels = 3) {
  return Uint8Array.from(
    { length: size * size * channels },
    (_, i) => (Math.imul(i + 1, 2654435761 + 40503 * seed) >>> 13) & 255,
  );
}

export const raw = (size, channels = 3) => ({ raw: { width: size, height: size, channels } });

export async function png(size, seed) {
  return sharp(pixels(size, seed), raw(size)).png().toBuffer();
}

/** PNG tiles tile0.png, tile1.png, ...; returns their paths. */
export async function writeTiles(folder, count, size = 32) {
  const paths = [];
  for (let i = 0; i < count; i++) {
    const path = join(folder, `tile${i}.png`);
    await writeFile(path, await png(size, i));
    paths.push(path);
  }
  return paths;
}
