/**
 * The way to the native core, and the only place that knows its files. Before the addon itself preload.node opens LibTorch by
 * absolute path: a missing or wrong library becomes a sentence with a remedy, not a trace of the dynamic linker.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { isErrorCode, StainfoldError } from '../errors.js';
import { setJpegDecoder } from '../files/jpeg-decoder.js';
import { CUDA_VARIANT, nvidiaDriver } from '../libtorch/host.js';
import { minorOf } from '../libtorch/layout.js';
import { type ResolvedLibTorch, resolveLibTorch } from '../libtorch/resolve.js';
import { findCutLibrary } from '../libtorch/whole.js';
import { findBuilds, isClone, type NativeBuild } from './builds.js';
import { checkHost, muslError, readHost } from './host.js';
import type { NativeAddon } from './native.js';
import { packagesHere } from './platforms.js';
import { VERSION } from './version.js';

export type { NativeBuild } from './builds.js';

const ADDON = 'stainfold.node';
const PRELOAD = 'preload.node';

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
  /** Why there is no build, and what to do; null where there is one. */
  missing: StainfoldError | null;
}

const require = createRequire(import.meta.url);

/** One per environment: a worker thread has its own copy of this module. */
let current: { libtorch: ResolvedLibTorch; addon: NativeAddon } | undefined;

/**
 * The addon, loaded and initialised once per environment. A failure is not remembered: after the remedy a second call succeeds.
 *
 * @param options.libtorch LibTorch's folder; by default it is looked up, see resolveLibTorch.
 * @param options.device What it is loaded for: `cuda` that no build or driver can serve is refused here, with what is missing.
 * @throws STAINFOLD_ADDON_MISSING, _VERSION, _LOAD; STAINFOLD_PLATFORM; STAINFOLD_DEVICE; STAINFOLD_LIBTORCH_MISSING, _VERSION,
 *   _MISMATCH, _LOAD; STAINFOLD_STATE when another LibTorch than the one asked for is loaded already.
 */
export async function loadNative(
  options: { libtorch?: string | undefined; device?: string | undefined } = {},
): Promise<NativeAddon> {
  if (current) {
    if (options.libtorch !== undefined) checkSame(options.libtorch, current.libtorch);
    return current.addon;
  }
  const { build, libtorch } = choose(options.libtorch, options.device);
  checkMatch(build, libtorch);
  openLibTorch(build, libtorch);
  const addon = requireAddon(build);
  addon.initialize({ createError });
  if (addon.decode.library !== '') setJpegDecoder(addon.decode.jpeg);
  current = { libtorch, addon };
  return addon;
}

/** The LibTorch in use, once loadNative has succeeded. */
export function loadedLibTorch(): ResolvedLibTorch | undefined {
  return current?.libtorch;
}

/** What is built and what the driver is, without loading LibTorch. Never throws. */
export function describeNative(): NativeDescription {
  const { folder, builds } = findBuilds([ADDON, PRELOAD]);
  let driver: CudaDriver | null = null;
  for (const build of builds) {
    try {
      checkHost(label(build), build.abi);
      driver = requirePreload(build).cudaDriver();
      break;
    } catch {
      // the next build's may load; if none does, loadNative says why
    }
  }
  return { folder, builds, driver, missing: builds.length > 0 ? null : missing(folder, builds, undefined) };
}

/**
 * Which build, with which LibTorch. STAINFOLD_VARIANT decides, if set, then the device; else the CUDA build where a driver and its
 * LibTorch are present, then the CPU build, then whatever has a LibTorch.
 */
function choose(
  path: string | undefined,
  device: string | undefined,
): { build: NativeBuild; libtorch: ResolvedLibTorch } {
  const { folder, builds } = findBuilds([ADDON, PRELOAD]);
  const wanted = process.env.STAINFOLD_VARIANT;
  const rank = (build: NativeBuild) => {
    if (build.variant === 'cpu') return 1;
    return nvidiaDriver() === null ? 2 : Number(build.variant !== CUDA_VARIANT) / 2;
  };
  const candidates = builds
    .filter((build) => !wanted || build.variant === wanted)
    .sort((a, b) => rank(a) - rank(b));
  if (candidates.length === 0) throw missing(folder, builds, wanted);
  for (const build of candidates) checkVersion(build);
  if (device?.startsWith('cuda')) return chooseAmong(forCuda(candidates, device), path);
  return chooseAmong(candidates, path);
}

function chooseAmong(
  candidates: readonly NativeBuild[],
  path: string | undefined,
): { build: NativeBuild; libtorch: ResolvedLibTorch } {
  let failure: unknown;
  for (const build of candidates) {
    try {
      checkHost(label(build), build.abi);
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

/** Why there is nothing to load, in the order in which the remedies help. */
function missing(folder: string, builds: readonly NativeBuild[], wanted: string | undefined): StainfoldError {
  const packages = packagesHere();
  const host = `${process.platform} on ${process.arch}`;
  if (!isClone() && packages.length === 0) {
    return new StainfoldError('STAINFOLD_PLATFORM', `There are no binaries of stainfold for ${host}`, {
      hint: "Build it on this machine: docs/install.md says how, under 'From source'.",
    });
  }
  if (builds.length === 0 && process.platform === 'linux' && readHost().glibc === null) return muslError();
  const what = wanted ? `The addon's variant ${wanted} (STAINFOLD_VARIANT)` : 'The addon';
  const others = builds.length === 0 ? '' : `; there is ${builds.map((build) => build.variant).join(', ')}`;
  if (isClone() || process.env.STAINFOLD_NATIVE !== undefined) {
    return new StainfoldError(
      'STAINFOLD_ADDON_MISSING',
      `${what} is not built: nothing in ${folder}${others}`,
      {
        hint: "Run 'npm run build:native' in stainfold's folder.",
      },
    );
  }
  const name = packages.find((one) => one.variant === (wanted || 'cpu'))?.name;
  return new StainfoldError(
    'STAINFOLD_ADDON_MISSING',
    `${what} is not installed: no package ${name ?? `for ${wanted} on ${host}`} beside stainfold${others}`,
    name === undefined ? {} : { hint: `Run 'npx stainfold setup', or 'npm install ${name}@${VERSION}'.` },
  );
}

/** The two are one program in two packages: nothing but the same version is known to work. */
function checkVersion(build: NativeBuild): void {
  if (build.stainfold === VERSION) return;
  throw new StainfoldError(
    'STAINFOLD_ADDON_VERSION',
    `${label(build)} is version ${build.stainfold}, and stainfold is ${VERSION}; they must be the same`,
    build.package === null ? {} : { hint: `Run 'npm install ${build.package}@${VERSION}'.` },
  );
}

/** The CUDA builds, if the machine can serve them. */
function forCuda(builds: readonly NativeBuild[], device: string): NativeBuild[] {
  const cuda = builds.filter((build) => build.variant !== 'cpu');
  const [first] = builds;
  if (first) checkHost(label(first), first.abi); // its preload is opened here
  const driver = first && requirePreload(first).cudaDriver();
  if (driver && !driver.found) {
    throw new StainfoldError('STAINFOLD_DEVICE', `'${device}' needs an NVIDIA driver: ${driver.reason}`, {
      hint: "Install the driver, start the container with its GPUs, or use device 'cpu'.",
    });
  }
  if (cuda.length > 0) return cuda;
  const name = packagesHere().find((one) => one.variant === CUDA_VARIANT)?.name;
  const detail = `'${device}' needs a CUDA build of the addon, and only the CPU's is there`;
  if (isClone() || name === undefined) {
    throw new StainfoldError('STAINFOLD_DEVICE', detail, {
      hint: `Run 'npm run build:native -- --variant ${CUDA_VARIANT}', or use device 'cpu'.`,
    });
  }
  throw new StainfoldError('STAINFOLD_DEVICE', detail, {
    hint: `Run 'npx stainfold setup', or 'npm install ${name}@${VERSION}'.`,
  });
}

function label(build: NativeBuild): string {
  return build.package === null ? `The ${build.variant} addon` : `The package ${build.package}`;
}

function checkMatch(build: NativeBuild, libtorch: ResolvedLibTorch): void {
  if (minorOf(build.libtorch) === minorOf(libtorch.version)) return;
  const wanted = minorOf(build.libtorch);
  throw new StainfoldError(
    'STAINFOLD_LIBTORCH_MISMATCH',
    `${label(build)} was built for LibTorch ${build.libtorch}; ${libtorch.root} is ${libtorch.version}`,
    build.package === null
      ? {}
      : { hint: `Run 'npx stainfold libtorch install', or point LIBTORCH to a LibTorch ${wanted}.` },
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
  return requireBinary<Preload>(join(build.folder, PRELOAD));
}

function requireAddon(build: NativeBuild): NativeAddon {
  return requireBinary<NativeAddon>(join(build.folder, ADDON));
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
