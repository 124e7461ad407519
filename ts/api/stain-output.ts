/** What normalised and separated sets have in common: names of files, and what may be written over. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Tile } from '../data/tile-set.js';
import { StainfoldError } from '../errors.js';
import { writeFailure } from '../files/atomic.js';

/** The column of statuses; a table without it is somebody else's. */
export const STATUS_COLUMN = 'stain_status';

/**
 * A name below a folder for each tile, without extension, whatever way led to it: `../a/b.jpg` becomes `a/b`. Of several tiles of
 * one name all but the first get a number.
 */
export function namesBelow(files: readonly string[]): string[] {
  const taken = new Set<string>();
  return files.map((file) => {
    const parts = file
      .split(/[\\/]/)
      .filter((part) => part !== '' && part !== '.' && part !== '..' && !part.endsWith(':'));
    const stem = parts.join('/').replace(/\.[^./]+$/, '') || 'tile';
    let name = stem;
    for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${stem}-${n}`;
    taken.add(name.toLowerCase());
    return name;
  });
}

/** Refuses a folder whose table is not ours, and one whose tiles are those to be read. */
export async function checkOutput(
  table: string,
  written: readonly string[],
  input: string,
  tiles: readonly Tile[],
): Promise<void> {
  const refuse = (detail: string) => {
    throw new StainfoldError('STAINFOLD_OUTPUT_EXISTS', detail, { hint: 'Choose another folder.' });
  };
  const inputs = new Set(tiles.map(({ path }) => path));
  inputs.add(resolve(input));
  const same = [table, ...written].find((path) => inputs.has(path));
  if (same !== undefined) refuse(`${same} is a file that is read`);
  const header = (await readFile(table, 'utf8').catch(() => STATUS_COLUMN)).split('\n', 1)[0] ?? '';
  if (!header.split(',').includes(STATUS_COLUMN)) refuse(`${table} is not a table that stainfold wrote here`);
}

/** Neither atomic nor synced: no table names a picture before all are written. */
export async function writePicture(folder: string, file: string, bytes: Uint8Array): Promise<void> {
  const path = join(folder, file);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  } catch (error) {
    throw writeFailure(path, error);
  }
}
