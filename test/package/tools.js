/**
 * Tools of other people that the published package is tried with. They are no dependencies: each is installed, once a machine, in
 * build/test-tools, and where the registry of this machine has none, the tests that need it are skipped with the reason.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const FOLDER = fileURLToPath(new URL('../../build/test-tools', import.meta.url));

/**
 * @param specifiers `['webpack@5.112.2']`: exact versions, so that a run today and one in a year try the same.
 * @returns { bin(name), require } or undefined, having printed why.
 */
export async function obtain(...specifiers) {
  const folder = join(FOLDER, specifiers.join('+').replace(/[/@]/g, '_'));
  if (!existsSync(folder)) {
    const staging = `${folder}.${process.pid}`;
    mkdirSync(staging, { recursive: true });
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--fetch-retries=0'];
    try {
      await promisify(execFile)('npm', ['install', '--prefix', staging, ...quiet, ...specifiers], {
        timeout: 90_000,
      });
      renameSync(staging, folder);
    } catch (error) {
      rmSync(staging, { recursive: true, force: true });
      if (!existsSync(folder)) {
        const said = String(error.stderr || error.message)
          .trim()
          .split('\n');
        console.log(
          `skipped: ${specifiers.join(', ')} cannot be had: ${said.find((line) => /error/.test(line)) ?? said[0]}`,
        );
        return undefined;
      }
    }
  }
  return {
    bin: (name) => join(folder, 'node_modules/.bin', name),
    require: createRequire(join(folder, 'index.js')),
    folder,
  };
}
