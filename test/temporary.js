// Temporary folders that are gone when the test process ends, however many a test makes.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const made = [];
process.once('exit', () => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

/** A new empty folder. */
export function temporaryFolder(name = 'test') {
  const folder = mkdtempSync(join(tmpdir(), `stainfold-${name}-`));
  made.push(folder);
  return folder;
}
