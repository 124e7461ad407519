/** What works on this machine, what does not, and what to do about it. */
import { execFile } from 'node:child_process';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { ERRORS, StainfoldError } from '../errors.js';
import { sha256File } from '../files/digest.js';
import { LIBTORCH_GLIBC, muslError, readHost } from '../internal/host.js';
import { describeNative, type NativeBuild, type NativeDescription } from '../internal/load.js';
import type { NativeStatus } from '../internal/native.js';
import { packagesHere } from '../internal/platforms.js';
import { validate } from '../internal/validate.js';
import { cacheFolder, nvidiaDriver } from '../libtorch/host.js';
import { compareVersions, SUPPORTED } from '../libtorch/layout.js';
import { verifyLibTorch } from '../libtorch/manifest.js';
import { releaseFor } from '../libtorch/pins.js';
import { type ResolvedLibTorch, resolveLibTorch } from '../libtorch/resolve.js';
import { freeSpace, neededBytes } from '../libtorch/space.js';
import { openSlideLibraries } from '../slides/openslide-backend.js';
import { checkJpeg, checkSharp } from './doctor-images.js';
import { checkOpenSlide, type OpenSlideFound } from './doctor-slides.js';

export interface DoctorCheck {
  name: string;
  /** `fail`: training cannot run. `warn`: it runs, with something missing or slower than it could be. */
  status: 'ok' | 'warn' | 'fail';
  detail: string;
  /** What to do; there unless ok. */
  remedy?: string;
}

export interface DoctorReport {
  /** No check failed. */
  ok: boolean;
  checks: DoctorCheck[];
}

export interface DoctorOptions {
  /** Examine with this LibTorch. Default: the one that would be used. */
  libtorch?: string;
}

/** A build as a child process found it. */
interface Probe {
  build: NativeBuild;
  status?: NativeStatus;
  libtorch?: ResolvedLibTorch;
  openslide?: OpenSlideFound;
  /** Interface of the libjpeg that it decodes with; empty for none. */
  jpeg?: string;
  /** Why it doesn't load. */
  failure?: { detail: string; remedy: string };
}

const NODE_MINIMUM = [20, 19] as const;
const GIB = 2 ** 30;

const schema = z.strictObject(
  {
    libtorch: z
      .string({ error: 'the path of a folder' })
      .min(1, { error: 'the path of a folder' })
      .optional(),
  },
  { error: 'an object' },
);

/**
 * Examines Node, the machine, sharp, LibTorch, the addon and CUDA. Each build of the addon is loaded in a process of its own, so
 * that a crash becomes a line of the report. Takes a few seconds; never rejects about what it examines.
 *
 * @example
 * const { checks } = await doctor();
 * for (const { name, status, detail } of checks) console.log(name, status, detail);
 */
export async function doctor(options: DoctorOptions = {}): Promise<DoctorReport> {
  const { libtorch } = validate(schema, options);
  const native = describeNative();
  const [library, cache, probes] = await Promise.all([
    checkLibTorch(libtorch),
    checkCache(),
    Promise.all(native.builds.map((build) => probe(build, libtorch))),
  ]);
  const works = probes.find(({ status }) => status);
  const checks = [
    checkNode(),
    checkPlatform(),
    checkMemory(),
    checkSharp(),
    library,
    ...checkAddon(native, probes),
    checkCuda(native, probes),
    checkThreads(probes),
    checkJpeg(works?.jpeg),
    checkOpenSlide(works?.openslide),
    cache,
  ];
  return { ok: checks.every((check) => check.status !== 'fail'), checks };
}

function ok(name: string, detail: string): DoctorCheck {
  return { name, status: 'ok', detail };
}

function warn(name: string, detail: string, remedy: string): DoctorCheck {
  return { name, status: 'warn', detail, remedy };
}

function fail(name: string, detail: string, remedy: string): DoctorCheck {
  return { name, status: 'fail', detail, remedy };
}

function checkNode(): DoctorCheck {
  const { node: version, napi } = process.versions;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantMajor, wantMinor] = NODE_MINIMUM;
  const detail = `${version}, Node-API ${napi}`;
  if (major > wantMajor || (major === wantMajor && minor >= wantMinor)) return ok('node', detail);
  return fail('node', detail, `Install Node ${wantMajor}.${wantMinor} or newer.`);
}

function checkPlatform(): DoctorCheck {
  const { platform, arch, glibc, libstdcxx } = readHost();
  const here = `${platform} ${arch}`;
  if (platform !== 'linux') {
    if (packagesHere().length > 0)
      return warn('platform', here, 'Untried: see the table of docs/install.md.');
    return fail('platform', here, 'Use Linux on x86-64; on Windows, WSL 2.');
  }
  if (glibc === null) return fail('platform', `${here}, musl`, muslError().hint);
  const cxx = libstdcxx?.has.glibcxx ? `, libstdc++ ${libstdcxx.has.glibcxx}` : '';
  const detail = `${here}, glibc ${glibc}${cxx}`;
  if (compareVersions(glibc, LIBTORCH_GLIBC) < 0)
    return fail('platform', detail, `LibTorch needs glibc ${LIBTORCH_GLIBC} or newer.`);
  if (arch !== 'x64') return warn('platform', detail, 'Untried: see the table of docs/install.md.');
  return ok('platform', detail);
}

function checkMemory(): DoctorCheck {
  const processor = cpus()[0]?.model.trim() ?? 'unknown processor';
  const cores = availableParallelism();
  const detail = `${cores} cores (${processor}), ${gib(totalmem())} of memory, ${gib(freemem())} free`;
  if (totalmem() >= 4 * GIB) return ok('machine', detail);
  return warn('machine', detail, "4 GiB suit size 'tiny' with batchSize 32; lower batchSize.");
}

async function checkLibTorch(path: string | undefined): Promise<DoctorCheck> {
  let found: ResolvedLibTorch;
  try {
    found = resolveLibTorch({ path });
  } catch (error) {
    const { detail, remedy } = explain(error);
    return fail('libtorch', detail, remedy);
  }
  const detail = `${found.version} ${found.variant} in ${found.root} (${found.source}; supported: ${SUPPORTED.from} to ${SUPPORTED.to})`;
  if (found.source !== 'cache') return ok('libtorch', `${detail}, not ours to verify`);
  const report = await verifyLibTorch({ name: `${found.version}-${found.variant}`, quick: true });
  const damaged = [...report.missing, ...report.changed];
  if (damaged.length === 0) return ok('libtorch', `${detail}, ${report.files} files intact`);
  return fail(
    'libtorch',
    `${detail}: ${damaged.length} of ${report.files} files missing or changed (${damaged.slice(0, 3).join(', ')})`,
    `Run 'npx stainfold libtorch install --force --variant ${found.variant}'.`,
  );
}

/** One line a build. A build that doesn't load is a failure only if none does. */
function checkAddon(native: NativeDescription, probes: Probe[]): DoctorCheck[] {
  if (native.missing) {
    const { detail, remedy } = explain(native.missing);
    return [fail('addon', detail, remedy)];
  }
  const works = probes.some((probed) => probed.status);
  return probes.map(({ build, status, libtorch, failure }) => {
    const name = `addon ${build.variant}`;
    const origin = build.package === null ? '' : ` from ${build.package}`;
    const archs = build.archs.length > 0 ? ` (${build.archs.join(', ')})` : '';
    const built = `stainfold ${build.stainfold}${origin} for LibTorch ${build.libtorch}${archs}`;
    if (status) return ok(name, `${built}, loads with ${libtorch?.version}, ${status.cpuCapability}`);
    return (works ? warn : fail)(
      name,
      `${built}: ${failure?.detail}`,
      failure?.remedy ?? ERRORS.STAINFOLD_ADDON_LOAD,
    );
  });
}

function checkCuda(native: NativeDescription, probes: Probe[]): DoctorCheck {
  const driver = nvidiaDriver();
  const seen = native.driver?.found ?? driver !== null;
  const serves = native.driver?.version ? `, serves CUDA ${native.driver.version}` : '';
  const label = driver === null || driver === 'present' ? 'NVIDIA driver' : `NVIDIA driver ${driver}`;
  const cuda = probes.find((probed) => probed.build.variant !== 'cpu');
  if (!seen) {
    const reason = native.driver?.reason ?? 'no kernel driver, no libcuda.so.1';
    const built = cuda?.status ? `; the ${cuda.build.variant} addon loads and runs on the CPU` : '';
    return ok('cuda', `not available: ${reason}${built}. Devices: cpu`);
  }
  if (!cuda) {
    return warn(
      'cuda',
      `${label}${serves}, but the addon has no CUDA build`,
      native.builds.some((build) => build.package !== null)
        ? "Run 'npx stainfold setup', which adds the CUDA package."
        : "Run 'npm run build:native -- --variant cu130'.",
    );
  }
  if (!cuda.status) {
    return warn(
      'cuda',
      `${label}${serves}, but the ${cuda.build.variant} addon does not load`,
      'See the line of that addon.',
    );
  }
  const { devices, cudaUnavailable, cudaVersion } = cuda.status;
  if (devices.length === 0) {
    const remedy =
      "Check 'nvidia-smi', CUDA_VISIBLE_DEVICES, and that a container was started with its GPUs.";
    return warn('cuda', `${label}${serves}, built for CUDA ${cudaVersion}, but: ${cudaUnavailable}`, remedy);
  }
  const list = devices.map(
    ({ index, name, capability, freeBytes, totalBytes }) =>
      `cuda:${index} ${name} (${capability}, ${gib(freeBytes)} of ${gib(totalBytes)} free)`,
  );
  const detail = `${label}${serves}, CUDA ${cudaVersion}; ${list.join('; ')}`;
  const old = devices.find((device) => Number(device.capability) < oldestCapability(cuda.build));
  if (!old) return ok('cuda', detail);
  return warn(
    'cuda',
    `${detail}; ${old.name} is older than the kernels built (${cuda.build.archs.join(', ')})`,
    "Use device 'cpu', or rebuild with STAINFOLD_CUDA_ARCHITECTURES set for it.",
  );
}

/** 8.0 for sm_80. */
function oldestCapability(build: NativeBuild): number {
  const numbers = build.archs.map((arch) => Number(arch.match(/\d+/)?.[0] ?? 0) / 10);
  return numbers.length === 0 ? 0 : Math.min(...numbers);
}

function checkThreads(probes: Probe[]): DoctorCheck {
  const cores = availableParallelism();
  const threads = probes.find((probed) => probed.status)?.status?.threads;
  const pool = Number(process.env.UV_THREADPOOL_SIZE ?? 4);
  const { OMP_NUM_THREADS } = process.env;
  const omp = OMP_NUM_THREADS ? `, OMP_NUM_THREADS=${OMP_NUM_THREADS}` : '';
  const detail = `${threads ?? '?'} native thread${threads === 1 ? '' : 's'} on ${cores} cores${omp}; images by sharp, and packs: libuv pool of ${pool}`;
  if (threads !== undefined && threads * 2 <= cores) {
    return warn(
      'threads',
      detail,
      "Pass 'threads' (--threads), or unset OMP_NUM_THREADS, to use the other cores.",
    );
  }
  if (pool >= Math.min(4, cores)) return ok('threads', detail);
  return warn('threads', detail, 'Set UV_THREADPOOL_SIZE to the number of cores, or unset it.');
}

async function checkCache(): Promise<DoctorCheck> {
  const folder = cacheFolder();
  try {
    const { bytes, exists, obstacle } = await freeSpace(folder);
    const detail = `${folder}${exists ? '' : ' (not made yet)'}, ${gib(bytes)} free`;
    // What is installed already can be read there all the same.
    if (obstacle !== null) return ok('cache', `${detail}, cannot be written to (${obstacle})`);
    const [cpu, cu130] = (['cpu', 'cu130'] as const).map((variant) => neededBytes(releaseFor(variant)));
    if (bytes >= Number(cpu)) return ok('cache', detail);
    const needs = `cpu needs ${gib(Number(cpu))}, cu130 ${gib(Number(cu130))}`;
    return warn('cache', detail, `Free some space (${needs}), or set STAINFOLD_CACHE to another disk.`);
  } catch (error) {
    return warn(
      'cache',
      `${folder}: ${text(error)}`,
      'Set STAINFOLD_CACHE to a folder that can be written to.',
    );
  }
}

const PROBE = `
const { loadNative, loadedLibTorch } = await import(process.argv[1]);
try {
  const addon = await loadNative(process.argv[2] ? { libtorch: process.argv[2] } : {});
  let openslide;
  try {
    openslide = addon.slide?.loadOpenSlide(JSON.parse(process.argv[3]));
  } catch (error) {
    openslide = { missing: error.message, hint: error.hint };
  }
  const { library: jpeg } = addon.decode;
  console.log(JSON.stringify({ status: addon.status(), libtorch: loadedLibTorch(), openslide, jpeg }));
} catch (error) {
  console.log(JSON.stringify({ code: error.code, detail: error.message, hint: error.hint }));
}`;

async function probe(build: NativeBuild, libtorch: string | undefined): Promise<Probe> {
  for (const [name, digest] of Object.entries(build.sha256 ?? {})) {
    const path = join(build.folder, name);
    if ((await sha256File(path)) === digest) continue;
    const remedy = `Run 'npm install ${build.package}@${build.stainfold} --force'.`;
    return { build, failure: { detail: `${path} is not the file that was packed`, remedy } };
  }
  return probeInChild(build, libtorch);
}

/** Loads one build in a process of its own and asks it for its status. */
function probeInChild(build: NativeBuild, libtorch: string | undefined): Promise<Probe> {
  const module = new URL('../internal/load.js', import.meta.url).href;
  const args = [
    '--input-type=module',
    '--eval',
    PROBE,
    module,
    libtorch ?? '',
    JSON.stringify(openSlideLibraries()),
  ];
  const env = {
    ...process.env,
    STAINFOLD_VARIANT: build.variant,
    ELECTRON_RUN_AS_NODE: '1',
  };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env, timeout: 120_000 }, (error, stdout, stderr) => {
      const line = stdout.trim().split('\n').at(-1) ?? '';
      const said = parse(line);
      if (said?.status && !error) {
        const { status, libtorch, openslide, jpeg } = said;
        return resolve({
          build,
          status,
          ...(libtorch && { libtorch }),
          ...(openslide && { openslide: told(openslide) }),
          ...(jpeg !== undefined && { jpeg }),
        });
      }
      const crash = error?.signal ? `crashed with ${error.signal}` : `ended with status ${error?.code ?? 0}`;
      const detail =
        said?.detail ??
        `the process that loaded it ${crash}: ${stderr.trim().split('\n').at(-1) || 'no message'}`;
      const remedy = said?.hint ?? ERRORS.STAINFOLD_ADDON_LOAD;
      resolve({ build, failure: { detail: withoutHint(detail, remedy), remedy } });
    });
  });
}

interface Said {
  status?: NativeStatus;
  libtorch?: ResolvedLibTorch;
  openslide?: OpenSlideFound & { hint?: string };
  jpeg?: string;
  detail?: string;
  hint?: string;
}

function told({ hint = '', ...found }: OpenSlideFound & { hint?: string }): OpenSlideFound {
  return 'missing' in found ? { missing: withoutHint(found.missing, hint) } : found;
}

function parse(line: string): Said | undefined {
  try {
    return JSON.parse(line) as Said;
  } catch {
    return undefined;
  }
}

function explain(error: unknown): { detail: string; remedy: string } {
  if (!(error instanceof StainfoldError)) return { detail: text(error), remedy: ERRORS.STAINFOLD_INTERNAL };
  return { detail: withoutHint(error.message, error.hint), remedy: error.hint };
}

/** An error's message ends with its remedy, which has a line of its own here. */
function withoutHint(message: string, hint: string): string {
  return message.endsWith(hint) ? message.slice(0, -hint.length).replace(/[.\s]+$/, '') : message;
}

function text(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? error.name) : String(error);
}

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`;
}
