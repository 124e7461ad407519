/** What a machine lacks before it can train and embed: planned first, so that it can be shown, then carried out. */
import { z } from 'zod';
import { StainfoldError } from '../errors.js';
import { isClone } from '../internal/builds.js';
import { checkHost, LIBTORCH_GLIBC, readHost } from '../internal/host.js';
import { installCommand, runInstall } from '../internal/installer.js';
import { describeNative, type NativeBuild } from '../internal/load.js';
import { packagesHere } from '../internal/platforms.js';
import { validate } from '../internal/validate.js';
import { VERSION } from '../internal/version.js';
import { cacheFolder, nvidiaDriver, recommendedVariant } from '../libtorch/host.js';
import { type InstallProgress, installLibTorch } from '../libtorch/install.js';
import { inspectTree, minorOf } from '../libtorch/layout.js';
import { type Release, releaseFor } from '../libtorch/pins.js';
import { resolveLibTorch } from '../libtorch/resolve.js';
import { downloadBytes, freeSpace, neededBytes, probeServer } from '../libtorch/space.js';
import { type DoctorReport, doctor } from './doctor.js';

export interface SetupOptions {
  /** Which build. Default `auto`: LIBTORCH's, if set; cu130 where a recent NVIDIA driver is (Linux, x86-64), else cpu. */
  variant?: 'auto' | 'cpu' | 'cu130';
  /** Where LibTorch comes from instead of the official servers, as installLibTorch takes it. */
  from?: string;
  signal?: AbortSignal;
}

/** A thing to do. */
export type SetupStep =
  | {
      kind: 'package';
      /** `@stainfold/linux-x64-cpu@0.1.0` */
      package: string;
      /** What is run, and where. */
      command: readonly [string, ...string[]];
      folder: string;
    }
  | {
      kind: 'libtorch';
      version: string;
      variant: 'cpu' | 'cu130';
      /** Where from; null for the official servers. */
      from: string | null;
      /** Bytes of the archives; 0 where `from` is given. */
      downloadBytes: number;
    };

export interface SetupPlan {
  /** `linux x64, glibc 2.36` */
  platform: string;
  /** NVIDIA's driver: its version, `present` where only its library shows, or null. */
  driver: string | null;
  variant: 'cpu' | 'cu130';
  /** Why this one. */
  reason: string;
  /** What is to be done, in order; empty where everything is there. */
  steps: SetupStep[];
  /** What is there already: the addon's package or build, LibTorch's folder; null what is not. */
  present: { addon: string | null; libtorch: string | null };
  /** Where LibTorch goes, what it needs there, and why nothing can be written there, if so. */
  disk: { folder: string; freeBytes: number; neededBytes: number; obstacle: string | null };
  /** The server that LibTorch comes from; null where nothing is to be downloaded. `reason`: why it does not answer. */
  network: { host: string; reason: string | null } | null;
  /** What may go wrong, each with what to do. */
  warnings: string[];
}

export interface SetupRun {
  signal?: AbortSignal;
  /** Before each step, and while it goes on. */
  onStep?: (step: SetupStep) => void;
  onProgress?: (progress: InstallProgress) => void;
}

const text = { error: 'a folder, a file or an http(s) address' };
const signal = z
  .custom<AbortSignal>((value) => value instanceof AbortSignal, { error: 'an AbortSignal' })
  .optional();
const schema = z.strictObject(
  {
    variant: z.enum(['auto', 'cpu', 'cu130'], { error: "'auto', 'cpu' or 'cu130'" }).default('auto'),
    from: z.string(text).min(1, text).optional(),
    signal,
  },
  { error: 'an object' },
);

/**
 * Looks at driver, platform, disk and network and says what to install. Changes nothing.
 *
 * @example
 * const plan = await planSetup();
 * if (plan.steps.length > 0) await runSetup(plan);
 *
 * @throws STAINFOLD_PLATFORM where there are no binaries for this system; STAINFOLD_OPTION.
 */
export async function planSetup(options: SetupOptions = {}): Promise<SetupPlan> {
  const { variant: asked, from, signal } = validate(schema, options);
  signal?.throwIfAborted();
  const host = readHost();
  const driver = nvidiaDriver();
  const { variant, reason } = choose(asked, driver);
  const { builds, missing } = describeNative();
  if (missing?.code === 'STAINFOLD_PLATFORM') throw missing;
  // Before anything is downloaded for a system that could not load it.
  checkHost('LibTorch', process.platform === 'linux' ? { glibc: LIBTORCH_GLIBC } : undefined, () => host);
  const build = builds.find((one) => one.variant === variant);
  if (build?.package) checkHost(`The package ${build.package}`, build.abi, () => host);

  const warnings: string[] = [];
  const addon = addonStep(variant, build, warnings);
  const release = releaseFor(variant);
  const library = presentLibTorch(variant, build, release, warnings);
  const steps: SetupStep[] = addon ? [addon] : [];
  if (library === null) {
    steps.push({
      kind: 'libtorch',
      version: release.version,
      variant,
      from: from ?? null,
      downloadBytes: from === undefined ? downloadBytes(release) : 0,
    });
  }
  const disk = await describeDisk(library === null ? neededBytes(release, from) : 0);
  const lack = lackOf(disk);
  if (lack) warnings.push(`${lack.detail}. ${lack.remedy}`);
  const network = library === null && from === undefined ? await probeServer(release, signal) : null;
  if (network?.reason) {
    warnings.push(
      `${network.host} does not answer (${network.reason}): a mirror that pip knows is tried, or give a file or folder with --from.`,
    );
  }
  return {
    platform: `${host.platform} ${host.arch}${host.glibc === null ? '' : `, glibc ${host.glibc}`}`,
    driver,
    variant,
    reason,
    steps,
    present: {
      addon: addon || !build ? null : (build.package ?? build.folder),
      libtorch: library,
    },
    disk,
    network,
    warnings,
  };
}

/**
 * Carries a plan out, and examines the result.
 *
 * @throws STAINFOLD_ADDON_MISSING when the package manager fails; STAINFOLD_FILE_WRITE where LibTorch has no room; what installLibTorch
 *   throws; the signal's reason.
 */
export async function runSetup(
  plan: SetupPlan,
  { signal, onStep, onProgress }: SetupRun = {},
): Promise<DoctorReport> {
  for (const step of plan.steps) {
    signal?.throwIfAborted();
    onStep?.(step);
    if (step.kind === 'package') await addPackage(step, signal);
    else {
      const lack = lackOf(plan.disk);
      if (lack) throw new StainfoldError('STAINFOLD_FILE_WRITE', lack.detail, { hint: lack.remedy });
      await installLibTorch({ variant: step.variant, from: step.from ?? undefined, signal, onProgress });
    }
  }
  return doctor();
}

async function describeDisk(neededBytes: number): Promise<SetupPlan['disk']> {
  const folder = cacheFolder();
  const { bytes: freeBytes, obstacle } = await freeSpace(folder);
  return { folder, freeBytes, neededBytes, obstacle };
}

/** Why LibTorch cannot be put there, before anything is downloaded. */
function lackOf({
  folder,
  freeBytes,
  neededBytes,
  obstacle,
}: SetupPlan['disk']): { detail: string; remedy: string } | undefined {
  if (neededBytes === 0) return undefined;
  if (obstacle !== null) {
    const remedy = 'Set STAINFOLD_CACHE to a folder that can be.';
    return { detail: `${folder} cannot be written to (${obstacle})`, remedy };
  }
  if (freeBytes >= neededBytes) return undefined;
  const [free, needed] = [freeBytes, neededBytes].map((bytes) => `${(bytes / 1e9).toFixed(1)} GB`);
  const remedy = 'Free some, or set STAINFOLD_CACHE to another disk.';
  return { detail: `${folder} has ${free} of space left, and LibTorch needs ${needed}`, remedy };
}

function choose(
  asked: 'auto' | Release['variant'],
  driver: string | null,
): { variant: Release['variant']; reason: string } {
  if (asked !== 'auto') return { variant: asked, reason: 'as asked' };
  const named = process.env.LIBTORCH ? inspectTree(process.env.LIBTORCH)?.variant : undefined;
  if (named === 'cpu' || named === 'cu130') return { variant: named, reason: 'what LIBTORCH holds' };
  return recommendedVariant(driver);
}

function addonStep(
  variant: Release['variant'],
  build: NativeBuild | undefined,
  warnings: string[],
): SetupStep | undefined {
  if (build?.stainfold === VERSION) return undefined;
  const name = packagesHere().find((one) => one.variant === variant)?.name;
  if (isClone() || process.env.STAINFOLD_NATIVE !== undefined || name === undefined) {
    warnings.push(`The ${variant} addon is not built: run 'npm run build:native -- --variant ${variant}'.`);
    return undefined;
  }
  const specifier = `${name}@${VERSION}`;
  const install = installCommand(specifier);
  if (!install) {
    warnings.push(`Add ${specifier} where stainfold is installed: it stands in no node_modules.`);
    return undefined;
  }
  return { kind: 'package', package: specifier, ...install };
}

/** Folder of the LibTorch that serves the variant, or null where one is to be installed. */
function presentLibTorch(
  variant: Release['variant'],
  build: NativeBuild | undefined,
  release: Release,
  warnings: string[],
): string | null {
  const minor = minorOf(build?.stainfold === VERSION ? build.libtorch : release.version);
  try {
    const { root, version, source } = resolveLibTorch({ variant, prefer: minor });
    if (minorOf(version) === minor) return root;
    if (source !== 'LIBTORCH') return null;
    warnings.push(
      `LIBTORCH names LibTorch ${version}; the addon needs ${minor}: unset it, or point it to a ${minor}.`,
    );
    return root;
  } catch (error) {
    if (!(error instanceof StainfoldError)) throw error;
    if (process.env.LIBTORCH)
      warnings.push(`${error.message.replace(/\. .*$/, '')}: unset LIBTORCH, or correct it.`);
    return null;
  }
}

async function addPackage(
  step: SetupStep & { kind: 'package' },
  signal: AbortSignal | undefined,
): Promise<void> {
  const command = step.command.join(' ');
  const refuse = (why: string) =>
    new StainfoldError('STAINFOLD_ADDON_MISSING', `${step.package} could not be added: '${command}' ${why}`, {
      hint: `Run it in ${step.folder}, or add the package as your project adds any.`,
    });
  let status: number;
  try {
    status = await runInstall(step, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw refuse(`could not be started (${error instanceof Error ? error.message : String(error)})`);
  }
  if (status !== 0) throw refuse(`ended with status ${status}`);
}
