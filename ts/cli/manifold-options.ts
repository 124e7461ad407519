/** The manifold as a command line gives it. */
import { readFile } from 'node:fs/promises';
import type { Manifold, ManifoldKind } from '../index.js';

/** What a command can name; `custom` comes with a file. */
export const KINDS = [
  'he',
  'hdab',
  'fluorescence',
  'intensity',
  'hed-jitter',
  'macenko-jitter',
  'randstainna',
  'custom',
] as const satisfies readonly ManifoldKind[];

/** A file of JSON: one manifold, or a list of them. */
export async function readManifolds(path: string): Promise<Manifold | Manifold[]> {
  const { StainfoldError } = await import('../index.js');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new StainfoldError('STAINFOLD_FILE_NOT_FOUND', `${path} cannot be read`, { cause });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Manifold | Manifold[];
    throw new SyntaxError('it is no object');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StainfoldError(
      'STAINFOLD_OPTION',
      `A manifold must be a file of JSON, got ${path}: ${reason}`,
      {
        cause,
      },
    );
  }
}
