/**
 * Finds LibTorch: the option, then LIBTORCH, then the user cache, then Python's torch if LIBTORCH_USE_PYTORCH=1. A place that
 * was named and holds none is an error, not a reason to look further.
 *
 * Synchronous on purpose: it is a handful of stat calls right before libraries of hundreds of megabytes are loaded, and
 * the build scripts use it too. Only LIBTORCH_USE_PYTORCH starts a process.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { StainfoldError } from '../errors.js';
import { autoVariant, cacheFolder, type Environment } from './host.js';
import {
  checkVersion,
  compareVersions,
  inspectTree,
  type LibTorchTree,
  type LibTorchVariant,
  minorOf,
} from './layout.js';

export interface ResolvedLibTorch extends LibTorchTree {
  source: 'option' | 'LIBTORCH' | 'cache' | 'python';
}

export interface ResolveOptions {
  /** A LibTorch folder; nothing else is looked at. */
  path?: string | undefined;
  /** Only this build. Default: any, the one that fits the machine first. */
  variant?: LibTorchVariant | undefined;
  /** Minor version, `2.13`: taken first where the cache holds several. */
  prefer?: string | undefined;
  /** Default: process.env. */
  environment?: Environment;
}

/**
 * @throws STAINFOLD_LIBTORCH_MISSING naming every place looked at; STAINFOLD_LIBTORCH_VERSION when the one found is outside 2.11 to 2.14.
 */
export function resolveLibTorch(options: ResolveOptions = {}): ResolvedLibTorch {
  const environment = options.environment ?? process.env;
  if (options.path !== undefined) return named(options.path, 'option', "option 'libtorch'", options.variant);
  if (environment.LIBTORCH) return named(environment.LIBTORCH, 'LIBTORCH', 'LIBTORCH', options.variant);

  const looked = ['LIBTORCH (not set)'];
  const installed = installedTrees(environment).filter((tree) => fits(tree, options.variant));
  const cached = installed.find((tree) => minorOf(tree.version) === options.prefer) ?? installed[0];
  if (cached) return found(cached, 'cache');
  looked.push(installFolder(environment));

  if (environment.LIBTORCH_USE_PYTORCH === '1') {
    const python = pythonTree(environment);
    if (typeof python !== 'string' && fits(python, options.variant)) return found(python, 'python');
    looked.push(typeof python === 'string' ? python : `Python's torch in ${python.root} (${python.variant})`);
  } else {
    looked.push("Python's torch (LIBTORCH_USE_PYTORCH is not 1)");
  }
  const what = options.variant === undefined ? 'No LibTorch' : `No ${options.variant} build of LibTorch`;
  throw new StainfoldError('STAINFOLD_LIBTORCH_MISSING', `${what} found; looked at ${looked.join(', ')}`);
}

/** Where installs live: one folder `VERSION-VARIANT` each. */
export function installFolder(environment: Environment = process.env): string {
  return join(cacheFolder(environment), 'libtorch');
}

/** Complete installs in the cache: the build that fits this machine first, newest first. Folders being staged begin with a dot. */
export function installedTrees(environment: Environment = process.env): LibTorchTree[] {
  const folder = installFolder(environment);
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => !name.startsWith('.'));
  } catch {
    return [];
  }
  const preferred = autoVariant();
  return names
    .map((name) => inspectTree(join(folder, name)))
    .filter((tree) => tree !== undefined)
    .sort(
      (a, b) =>
        Number(b.variant === preferred) - Number(a.variant === preferred) ||
        compareVersions(b.version, a.version),
    );
}

function named(
  path: string,
  source: 'option' | 'LIBTORCH',
  label: string,
  variant: LibTorchVariant | undefined,
): ResolvedLibTorch {
  const tree = inspectTree(path);
  if (!tree) {
    const detail = `${label} names ${path}, which holds no LibTorch (no lib/libtorch_cpu beside a version.py or build-version)`;
    throw new StainfoldError('STAINFOLD_LIBTORCH_MISSING', detail);
  }
  if (!fits(tree, variant)) {
    const detail = `${label} names ${path}, which is a ${tree.variant} build; ${variant} is wanted`;
    throw new StainfoldError('STAINFOLD_LIBTORCH_MISSING', detail);
  }
  return found(tree, source);
}

function found(tree: LibTorchTree, source: ResolvedLibTorch['source']): ResolvedLibTorch {
  checkVersion(tree.version, tree.root);
  return { ...tree, source };
}

function fits(tree: LibTorchTree, variant: LibTorchVariant | undefined): boolean {
  return variant === undefined || tree.variant === variant;
}

/** Python's torch, or why there is none. Finds the package without importing it, which would take seconds. */
function pythonTree(environment: Environment): LibTorchTree | string {
  const program = "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])";
  const python = spawnSync('python3', ['-c', program], {
    encoding: 'utf8',
    env: { ...environment },
    timeout: 20_000,
  });
  const folder = python.stdout?.trim();
  if (python.status !== 0 || !folder) return "Python's torch (python3 knows none)";
  return inspectTree(folder) ?? `Python's torch in ${folder} (holds no LibTorch)`;
}
