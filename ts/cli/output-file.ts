/** What can be known of a file before it is written: hours of work must not end at a folder that is not there. */
import { mkdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, parse } from 'node:path';

/**
 * Refuses a file that could not be written, or would take the place of what is read.
 *
 * @param inputs What the command reads.
 */
export async function checkOutput(out: string, inputs: readonly (string | undefined)[]): Promise<void> {
  const { StainfoldError } = await import('../index.js');
  const folder = await stat(dirname(out)).catch(() => undefined);
  if (!folder?.isDirectory()) {
    throw new StainfoldError(
      'STAINFOLD_FILE_WRITE',
      `Cannot write ${out}: there is no folder ${dirname(out)}`,
      {
        hint: 'Make the folder first.',
      },
    );
  }
  if ((await stat(out).catch(() => undefined))?.isDirectory()) {
    throw new StainfoldError('STAINFOLD_FILE_WRITE', `Cannot write ${out}: it is a folder`, {
      hint: 'Give the name of a file.',
    });
  }
  const read = await Promise.all(inputs.map((input) => (input === undefined ? undefined : real(input))));
  for (const written of filesOf(out)) {
    const path = await real(written);
    const input = path === undefined ? undefined : inputs[read.indexOf(path)];
    if (input !== undefined) {
      throw new StainfoldError('STAINFOLD_OPTION', `${written} would be written, and is what is read`, {
        hint: 'Give --out another name.',
      });
    }
  }
}

/** Writes a picture, whole or not at all; its folder is made. */
export async function savePicture(path: string, png: Uint8Array): Promise<void> {
  const { StainfoldError } = await import('../index.js');
  const beside = `${path}.${process.pid}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(beside, png);
    await rename(beside, path);
  } catch (cause) {
    await rm(beside, { force: true }).catch(() => undefined);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StainfoldError('STAINFOLD_FILE_WRITE', `Cannot write ${path}: ${reason}`, { cause });
  }
}

/** Beside a matrix go its rows' names. */
function filesOf(out: string): string[] {
  const { dir, name, ext } = parse(out);
  return ext.toLowerCase() === '.npy' ? [out, join(dir, `${name}.tiles.csv`)] : [out];
}

const real = (path: string): Promise<string | undefined> => realpath(path).catch(() => undefined);
