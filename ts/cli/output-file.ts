/** What can be known of a file before it is written: hours of work must not end at a folder that is not there. */
import { realpath, stat } from 'node:fs/promises';
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

/** Beside a matrix go its rows' names. */
function filesOf(out: string): string[] {
  const { dir, name, ext } = parse(out);
  return ext.toLowerCase() === '.npy' ? [out, join(dir, `${name}.tiles.csv`)] : [out];
}

const real = (path: string): Promise<string | undefined> => realpath(path).catch(() => undefined);
