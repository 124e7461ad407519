/**
 * Tools of other people that the published package is tried with. They are no dependencies: each is installed, once a machine, in
 * build/test-tools, and where the registry of this machine has none, the tests that need it are skipped with the reason.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const FOLDER = fileURLToPath(new URL('../../build/test-tools', import.meta.url));

/** Versions for dependencies of theirs that are asked for by a tag (`node-fetch@cjs`), which not every mirror of npm knows. */
const OVERRIDES = { 'node-fetch': '2.7.0' };

/** Why the first one could not be had: a machine without a registry waits once a file, not for each tool. */
let unreachable;

/**
 * @param specifiers `['webpack@5.112.2']`: exact versions, so that a run today and one in a year try the same.
 * @returns { bin(name), require, folder } or undefined, having printed why.
 */
export async function obtain(...specifiers) {
  const folder = join(FOLDER, specifiers.join('+').replace(/[/@]/g, '_'));
  if (!existsSync(folder)) {
    unreachable ??= await install(folder, specifiers);
    if (!existsSync(folder)) {
      console.log(`skipped: ${specifiers.join(', ')} cannot be had: ${unreachable}`);
      return undefined;
    }
  }
  return {
    bin: (name) => join(folder, 'node_modules/.bin', name),
    require: createRequire(join(folder, 'index.js')),
    folder,
  };
}

/** Undefined, or why not. Beside its place and renamed: another test file may install the same. */
async function install(folder, specifiers) {
  const staging = `${folder}.${process.pid}`;
  mkdirSync(staging, { recursive: true });
  writeFileSync(join(staging, 'package.json'), JSON.stringify({ private: true, overrides: OVERRIDES }));
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const brief = ['--fetch-retries=0', '--fetch-timeout=15000'];
  try {
    const args = ['install', '--prefix', staging, ...quiet, ...brief, ...specifiers];
    await promisify(execFile)('npm', args, { timeout: 60_000 });
    renameSync(staging, folder);
    return undefined;
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    if (existsSync(folder)) return undefined;
    const said = String(error.stderr || error.message).split('\n');
    return said.find((line) => /error/.test(line)) ?? said[0];
  }
}
