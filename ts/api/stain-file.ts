/** A normaliser's reference as numbers for the native core, and as a JSON file that a person can read. */
import { readFile } from 'node:fs/promises';
import { readError, reasonOf } from '../data/file-errors.js';
import { StainfoldError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic.js';
import { type StainFile, type StainFileInput, stainFileSchema } from '../internal/validate-stain.js';
import type { StainMethod, StainReference } from '../types.js';

/** Layout: native/include/stainfold/stain.h, StainFit. */
export function referenceOf(method: StainMethod, values: Float64Array): StainReference {
  const list = Array.from(values);
  if (method === 'reinhard') return { mean: list.slice(0, 3), deviation: list.slice(3) };
  if (method === 'histogram')
    return { red: list.slice(0, 256), green: list.slice(256, 512), blue: list.slice(512) };
  const stains = list.length / 4;
  return {
    matrix: [0, 1, 2].map((row) => list.slice(row * stains, (row + 1) * stains)),
    peaks: list.slice(3 * stains),
  };
}

export function valuesOf(reference: StainReference): Float64Array {
  if ('matrix' in reference) return Float64Array.from([...reference.matrix.flat(), ...reference.peaks]);
  if ('mean' in reference) return Float64Array.from([...reference.mean, ...reference.deviation]);
  return Float64Array.from([...reference.red, ...reference.green, ...reference.blue]);
}

export async function writeStainFile(path: string, file: StainFileInput): Promise<void> {
  // Rows of numbers stand in one line.
  const json = JSON.stringify(file, null, 2).replace(
    /\[\s+([-\d.e+,\s]+?)\s+\]/g,
    (_, row: string) => `[${row.replace(/\s+/g, ' ')}]`,
  );
  await writeFileAtomic(path, `${json}\n`);
}

export async function readStainFile(path: string): Promise<StainFile> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw readError(path, cause);
  }
  const refused = (why: string, cause?: unknown) =>
    new StainfoldError('STAINFOLD_STAIN', `${path} is not a stain normaliser: ${why}`, { cause });
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw refused(reasonOf(cause), cause);
  }
  const { success, data, error } = stainFileSchema.safeParse(content);
  if (!success) {
    const issue = error.issues[0];
    throw refused(`${issue?.path.join('.') || 'content'}: ${issue?.message ?? 'unknown'}`, error);
  }
  const kind = { reinhard: 'mean', histogram: 'red' }[data.method as string] ?? 'matrix';
  if (!(kind in data.reference)) throw refused(`a reference of ${data.method} has a '${kind}'`);
  return data;
}
