// fake-openslide.c, compiled and made the library that this process loads: one for good. Without a compiler `skip` says why.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../temporary.js';

const folder = temporaryFolder('openslide');
export const library = join(folder, 'libfake.so');
const source = fileURLToPath(new URL('./fake-openslide.c', import.meta.url));
const compiled = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source], { encoding: 'utf8' });
export const skip = compiled.status === 0 ? undefined : `no C compiler: ${compiled.error ?? compiled.stderr}`;
if (skip) console.log(`skipped: ${skip}`);
process.env.STAINFOLD_OPENSLIDE = library;

/** A slide of the fake library: its letter says what becomes of it. */
export function slideOf(letter) {
  const path = join(folder, `${letter}.fake`);
  writeFileSync(path, letter);
  return path;
}
