/** Which package manager laid stainfold out here, and what makes it add a platform package. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface InstallCommand {
  /** `['npm', 'install', …]` */
  command: readonly [string, ...string[]];
  /** Where it runs. */
  folder: string;
}

/** stainfold's own folder. */
export const PACKAGE_FOLDER = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '');

/**
 * The command that adds `specifier` (`@stainfold/linux-x64-cu130@0.1.0`) beside stainfold, or undefined where stainfold stands in no
 * node_modules. No install scripts: there are none to run, and a user may have forbidden them.
 */
export function installCommand(specifier: string, place = PACKAGE_FOLDER): InstallCommand | undefined {
  if (process.versions.pnp) return berryCommand(specifier, plugAndPlayProject());
  const pnpm = place.indexOf(`${sep}node_modules${sep}.pnpm${sep}`);
  if (pnpm !== -1) return pnpmCommand(specifier, place.slice(0, pnpm));
  if (basename(dirname(place)) !== 'node_modules') return undefined;
  const folder = dirname(dirname(place));
  if (existsSync(join(folder, 'pnpm-lock.yaml'))) return pnpmCommand(specifier, folder);
  const yarn = read(join(folder, 'yarn.lock'));
  if (yarn !== undefined) {
    if (!yarn.includes('yarn lockfile v1')) return berryCommand(specifier, folder);
    return { command: ['yarn', 'add', '--optional', '--exact', '--ignore-scripts', specifier], folder };
  }
  const quiet = [
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    ...(isProduction(folder) ? ['--omit=dev'] : []),
  ];
  // npm's global folder has no package.json; a project, and npx's own cache, have one.
  const saved = existsSync(join(folder, 'package.json'))
    ? ['--save-optional', '--save-exact', '--include=optional']
    : ['--global'];
  return { command: [npm(), 'install', ...saved, ...quiet, specifier], folder };
}

/** Runs it with its output on stderr; resolves with the exit status. */
export function runInstall(
  { command: [program, ...args], folder }: InstallCommand,
  signal?: AbortSignal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: folder,
      stdio: ['ignore', 2, 2], // stdout is for what stainfold says
      shell: process.platform === 'win32', // package managers are .cmd files there
      ...(signal && { signal }),
    });
    child.on('error', (error) => reject(signal?.aborted ? signal.reason : error));
    child.on('close', (code) => resolve(code ?? 128));
  });
}

/** Yarn 2 and newer. */
function berryCommand(specifier: string, folder: string): InstallCommand {
  return { command: ['yarn', 'add', '--optional', '--exact', '--mode=skip-build', specifier], folder };
}

/** There is no node_modules to tell it by: the workspace that the command was typed in, else the whole project. */
function plugAndPlayProject(): string {
  if (existsSync(join(process.cwd(), 'package.json'))) return process.cwd();
  const { topLevel, getPackageInformation } = createRequire(import.meta.url)('pnpapi');
  return getPackageInformation(topLevel).packageLocation;
}

function pnpmCommand(specifier: string, folder: string): InstallCommand {
  const root = existsSync(join(folder, 'pnpm-workspace.yaml')) ? ['--workspace-root'] : [];
  const saved = ['--save-optional', '--save-exact', '--ignore-scripts'];
  return { command: ['pnpm', 'add', ...saved, ...root, specifier], folder };
}

/** Whether development's packages were left away (`npm ci --omit=dev`): npm would bring them in with any other. */
function isProduction(folder: string): boolean {
  const manifest = JSON.parse(read(join(folder, 'package.json')) ?? '{}') as { devDependencies?: object };
  const names = Object.keys(manifest.devDependencies ?? {});
  return names.length > 0 && !names.some((name) => existsSync(join(folder, 'node_modules', name)));
}

function npm(): string {
  return process.platform === 'win32' ? 'npm.cmd' : 'npm';
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
