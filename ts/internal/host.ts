/** Whether this system can run a build: asked before the dynamic linker is, whose answer names symbols instead of what to do. */
import { StainfoldError } from '../errors.js';
import { compareVersions } from '../libtorch/layout.js';
import { type AbiFloor, highestVersions, readSymbolVersions } from './elf.js';

export interface Host {
  platform: NodeJS.Platform;
  arch: string;
  /** `2.36`; null on musl and off Linux. */
  glibc: string | null;
  /** The libstdc++ that this process has loaded; null where it has none of its own. */
  libstdcxx: { path: string; has: AbiFloor } | null;
}

/** What the official wheels are built for: manylinux_2_28. */
export const LIBTORCH_GLIBC = '2.28';

const CURE = 'Use Debian 12, Ubuntu 22.04 or newer, or build stainfold on this system.';

/** Asks Node's report, which takes some 10 ms. */
export function readHost(): Host {
  const { platform, arch } = process;
  if (platform !== 'linux') return { platform, arch, glibc: null, libstdcxx: null };
  Object.assign(process.report, { excludeNetwork: true }); // its name look-ups may take seconds
  const report = process.report.getReport() as unknown as {
    header: { glibcVersionRuntime?: string };
    sharedObjects?: string[];
  };
  const path = report.sharedObjects?.find((one) => /\/libstdc\+\+\.so/.test(one));
  return {
    platform,
    arch,
    glibc: report.header.glibcVersionRuntime ?? null,
    libstdcxx: path === undefined ? null : { path, has: highestVersions(definedIn(path)) },
  };
}

/**
 * @param what The build, for the message: `The package @stainfold/linux-x64-cpu`.
 * @throws STAINFOLD_PLATFORM where the system is older than what the binaries were linked with, or has no glibc at all.
 */
export function checkHost(what: string, floor: AbiFloor | undefined, host: () => Host = readHost): void {
  if (!floor?.glibc) return; // no ELF binary
  const { glibc, libstdcxx } = host();
  if (glibc === null) throw muslError();
  if (compareVersions(floor.glibc, glibc) > 0) {
    const detail = `${what} needs glibc ${floor.glibc}; this system has ${glibc}`;
    throw new StainfoldError('STAINFOLD_PLATFORM', detail, { hint: CURE });
  }
  if (libstdcxx === null) return; // Node has its own inside; the linker will look for one, and say so
  const { glibcxx, cxxabi } = libstdcxx.has;
  const short = [
    { name: 'GLIBCXX', need: floor.glibcxx, have: glibcxx },
    { name: 'CXXABI', need: floor.cxxabi, have: cxxabi },
  ].find(({ need, have }) => need && have && compareVersions(need, have) > 0);
  if (!short) return;
  throw new StainfoldError(
    'STAINFOLD_PLATFORM',
    `${what} needs a libstdc++ with ${short.name}_${short.need}; ${libstdcxx.path} ends at ${short.name}_${short.have}`,
    { hint: CURE },
  );
}

export function muslError(): StainfoldError {
  return new StainfoldError(
    'STAINFOLD_PLATFORM',
    'This Linux has musl instead of glibc (Alpine), and LibTorch is built for glibc',
    { hint: 'Use an image with glibc: node:22-slim (Debian) instead of node:22-alpine.' },
  );
}

function definedIn(path: string): string[] {
  try {
    return readSymbolVersions(path)?.defined ?? [];
  } catch {
    return []; // a file that cannot be read says nothing about what it has
  }
}
