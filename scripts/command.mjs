// Running programs and walking folders, for the scripts beside this file. Node built-ins only: they run before npm packages are there.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '');

/** An error whose message is all that a user needs: printed without a stack. */
export class Refusal extends Error {}

/**
 * Runs a program from the package's folder with its output on ours. Resolves with the exit status, 128 when a signal ended it; `onText`
 * sees the standard output as it passes, or instead of us where `quiet`.
 */
export function status(program, args, { env = process.env, onText, quiet = false } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = ['ignore', onText ? 'pipe' : 'inherit', 'inherit'];
    const child = spawn(program, args, { cwd: ROOT, env, stdio });
    child.stdout?.on('data', (data) => {
      if (!quiet) process.stdout.write(data);
      onText(String(data));
    });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 128));
  });
}

/** As status, but rejects unless it exits 0. */
export async function run(program, args, options) {
  const code = await status(program, args, options);
  if (code !== 0) throw new Refusal(`${[program, ...args].join(' ')} ended with status ${code}`);
}

/** What a program prints on stdout; rejects unless it exits 0, with what it said. */
export function capture(program, args, { cwd = ROOT, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    // npm is a .cmd on Windows, which only a shell runs
    const child = spawn(program, args, { cwd, env, shell: program.endsWith('.cmd') });
    let stdout = '';
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said = (said + text).slice(-4000);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(stdout);
      else
        reject(new Refusal(`${[program, ...args].join(' ')} ended with status ${code}: ${said || stdout}`));
    });
  });
}

/** A program of node_modules. */
export function tool(name) {
  return join(ROOT, 'node_modules', '.bin', name);
}

/** Full path of a program on PATH, or undefined. */
export function which(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (isExecutable(path)) return path;
  }
  return undefined;
}

export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Files below a folder of the package whose path matches, as paths relative to the package, sorted; none if it is missing. */
export function files(folder, pattern = /./) {
  let entries;
  try {
    entries = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true });
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(ROOT.length + 1))
    .filter((path) => pattern.test(path))
    .sort();
}

/** One digest over names and contents of files (paths relative to the package) and any further facts. */
export function digest(paths, ...facts) {
  const hash = createHash('sha256');
  for (const path of paths)
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(ROOT, path)))
      .update('\0');
  return hash.update(JSON.stringify(facts)).digest('hex');
}

/**
 * Runs `main` if `url` is the script that node was started with; a Refusal ends it with its message alone. Not to be awaited at a
 * module's top level: scripts that import each other would wait for each other.
 */
export async function asCommand(url, main) {
  if (process.argv[1] === undefined || fileURLToPath(url) !== process.argv[1]) return;
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    const expected = error instanceof Refusal || error?.name === 'StainfoldError';
    console.error(expected ? `error: ${error.message}` : error);
    process.exitCode = 1;
  }
}
