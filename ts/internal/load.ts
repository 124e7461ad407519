/**
 * The way to the native core, and the only place that knows its files. Before the addon itself preload.node opens LibTorch by
 * absolute path: a missing or wrong library becomes a sentence with a remedy, not a trace of the dynamic linker.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isErrorCode, StainfoldError } from '../errors.js';
import { CUDA_VARIANT, nvidiaDriver } from '../libtorch/host.js';
import { type LibTorchVariant, minorOf } from '../libtorch/layout.js';
import { type ResolvedLibTorch, resolveLibTorch } from '../libtorch/resolve.js';
import { findCutLibrary } from '../libtorch/whole.js';
import type { NativeAddon } from './native.js';

/** build.json beside the binaries, written by scripts/build-native.mjs. */
export interface NativeBuild {
  variant: LibTorchVariant;
  /** Folder of the binaries. */
  folder: string;
  /** LibTorch it was compiled against: `2.13.0`. */
  libtorch: string;
  /** Compute capabilities in the binary: `sm_80`, `sm_90`, `compute_90`. Empty for cpu. */
  archs: string[];
  /** Version of stainfold that it was built from. */
  stainfold: string;
}

interface Preload {
  load(
    libDir: string,
    variant: string,
  ): { ok: true; libraries: string[] } | { ok: false; library: string; path: string; reason: string };
  cudaDriver(): CudaDriver;
}

/** What preload.node says of the CUDA driver: libcuda's own version, or why there is none. */
export interface CudaDriver {
  found: boolean;
  version: string | null;
  reason: string | null;
}

export interface NativeDescription {
  /** Where builds are looked for. */
  folder: string;
  builds: NativeBuild[];
  driver: CudaDriver | null;
}

const require = createRequire(import.meta.url);

/** One per environment: a worker thread has its own copy of this module. */
let current: { libtorch: ResolvedLibTorch; addon: NativeAddon } | undefined;

/**
 * The addon, loaded and initialised once per environment. A failure is not remembered: after the remedy a second call succeeds.
 *
 * @param options.libtorch LibTorch's folder; by default it is looked up, see resolveLibTorch.
 * @throws STAINFOLD_ADDON_MISSING, STAINFOLD_ADDON_LOAD, STAINFOLD_LIBTORCH_MISSING, _VERSION, _MISMATCH, _LOAD; STAINFOLD_STATE when
 *   another LibTorch than the one asked for is loaded already.
 */
export async function loadNative(options: { libtorch?: string | undefined } = {}): Promise<NativeAddon> {
  if (current) {
    if (options.libtorch !== undefined) checkSame(options.libtorch, current.libtorch);
    return current.addon;
  }
  const { build, libtorch } = choose(options.libtorch);
  checkMatch(build, libtorch);
  openLibTorch(build, libtorch);
  const addon = requireAddon(build);
  addon.initialize({ createError });
  current = { libtorch, addon };
  return addon;
}

/** The LibTorch in use, once loadNative has succeeded. */
export function loadedLibTorch(): ResolvedLibTorch | undefined {
  return current?.libtorch;
}

/** What is built and what the driver is, without loading LibTorch. Never throws. */
export function describeNative(): NativeDescription {
  const folder = nativeFolder();
  const builds = findBuilds(folder);
  let driver: CudaDriver | null = null;
  for (const build of builds) {
    try {
      driver = requirePreload(build).cudaDriver();
      break;
    } catch {
      // the next build's may load; if none does, loadNative says why
    }
  }
  return { folder, builds, driver };
}

/** build/native of the package, or STAINFOLD_NATIVE for a package folder that can't be written to. */
function nativeFolder(): string {
  return process.env.STAINFOLD_NATIVE ?? fileURLToPath(new URL('../../build/native', import.meta.url));
}

function findBuilds(folder: string): NativeBuild[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names.map((name) => readBuild(join(folder, name))).filter((build) => build !== undefined);
}

function readBuild(folder: string): NativeBuild | undefined {
  if (!['build.json', 'stainfold.node', 'preload.node'].every((name) => existsSync(join(folder, name))))
    return undefined;
  try {
    const stated = JSON.parse(readFileSync(join(folder, 'build.json'), 'utf8')) as Omit<
      NativeBuild,
      'folder'
    >;
    return { ...stated, folder };
  } catch {
    return undefined; // a build in progress, or cut off
  }
}

/**
 * Which build, with which LibTorch. STAINFOLD_VARIANT decides, if set; else the CUDA build where a driver and its LibTorch are
 * present, then the CPU build, then whatever has a LibTorch.
 */
function choose(path: string | undefined): { build: NativeBuild; libtorch: ResolvedLibTorch } {
  const folder = nativeFolder();
  const builds = findBuilds(folder);
  const wanted = process.env.STAINFOLD_VARIANT;
  const rank = (build: NativeBuild) => {
    if (build.variant === 'cpu') return 1;
    return nvidiaDriver() === null ? 2 : Number(build.variant !== CUDA_VARIANT) / 2;
  };
  const candidates = builds
    .filter((build) => !wanted || build.variant === wanted)
    .sort((a, b) => rank(a) - rank(b));
  if (candidates.length === 0) {
    const what = wanted ? `The addon's variant ${wanted} (STAINFOLD_VARIANT)` : 'The addon';
    const others = builds.length === 0 ? '' : `; built: ${builds.map((build) => build.variant).join(', ')}`;
    throw new StainfoldError(
      'STAINFOLD_ADDON_MISSING',
      `${what} is not built: nothing in ${folder}${others}`,
    );
  }
  let failure: unknown;
  for (const build of candidates) {
    try {
      return {
        build,
        libtorch: resolveLibTorch({ path, variant: build.variant, prefer: minorOf(build.libtorch) }),
      };
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

function checkMatch(build: NativeBuild, libtorch: ResolvedLibTorch): void {
  if (minorOf(build.libtorch) === minorOf(libtorch.version)) return;
  throw new StainfoldError(
    'STAINFOLD_LIBTORCH_MISMATCH',
    `The ${build.variant} addon was built for LibTorch ${build.libtorch}; ${libtorch.root} is ${libtorch.version}`,
  );
}

function checkSame(path: string, loaded: ResolvedLibTorch): void {
  const asked = resolveLibTorch({ path });
  if (asked.root === loaded.root) return;
  throw new StainfoldError(
    'STAINFOLD_STATE',
    `LibTorch ${loaded.root} is loaded already; this process cannot use ${asked.root} too`,
  );
}

function openLibTorch(build: NativeBuild, libtorch: ResolvedLibTorch): void {
  const cut = findCutLibrary(libtorch);
  if (cut) {
    const detail = `${cut.path} of LibTorch ${libtorch.version} is cut off: ${cut.bytes} of at least ${cut.needed} bytes`;
    throw new StainfoldError('STAINFOLD_LIBTORCH_LOAD', detail);
  }
  const outcome = requirePreload(build).load(libtorch.lib, build.variant === 'cpu' ? 'cpu' : CUDA_VARIANT);
  if (outcome.ok) return;
  const where = outcome.path === '' ? libtorch.lib : outcome.path;
  throw new StainfoldError(
    'STAINFOLD_LIBTORCH_LOAD',
    `${outcome.library} of LibTorch ${libtorch.version} (${where}) cannot be loaded: ${outcome.reason}`,
  );
}

function requirePreload(build: NativeBuild): Preload {
  return requireBinary<Preload>(join(build.folder, 'preload.node'));
}

function requireAddon(build: NativeBuild): NativeAddon {
  return requireBinary<NativeAddon>(join(build.folder, 'stainfold.node'));
}

function requireBinary<Exports>(path: string): Exports {
  try {
    return require(path) as Exports;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StainfoldError('STAINFOLD_ADDON_LOAD', `${path} cannot be loaded: ${reason}`, { cause: error });
  }
}

/** Handed to the addon, so that native code throws the one error class. */
function createError(code: string, detail: string): StainfoldError {
  return new StainfoldError(isErrorCode(code) ? code : 'STAINFOLD_INTERNAL', detail);
}
