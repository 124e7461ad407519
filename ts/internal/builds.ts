/**
 * Where builds of the addon are: build/native of a clone, else the platform packages. load.ts alone knows their files; a build is
 * a folder that holds these and build.json, which scripts/build-native.mjs writes.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LibTorchVariant } from '../libtorch/layout.js';
import type { AbiFloor } from './elf.js';
import { packagesHere } from './platforms.js';

/** build.json, and where it was found. */
export interface NativeBuild {
  variant: LibTorchVariant;
  /** Folder of the binaries. */
  folder: string;
  /** The npm package that it came in; null in a clone. */
  package: string | null;
  /** LibTorch it was compiled against: `2.13.0`. */
  libtorch: string;
  /** Compute capabilities in the binary: `sm_80`, `sm_90`, `compute_90`. Empty for cpu. */
  archs: string[];
  /** Version of stainfold that it was built from. */
  stainfold: string;
  /** What it asks of the system at least; absent off Linux. */
  abi?: AbiFloor;
  /** SHA-256 of each file, in a package. */
  sha256?: Record<string, string>;
}

export interface FoundBuilds {
  /** Where a clone has its builds. */
  folder: string;
  builds: NativeBuild[];
}

const require = createRequire(import.meta.url);

/** @param files What a build consists of, beside build.json. */
export function findBuilds(files: readonly string[]): FoundBuilds {
  const given = process.env.STAINFOLD_NATIVE;
  const folder = given ?? fileURLToPath(new URL('../../build/native', import.meta.url));
  const own = namesIn(folder)
    .map((name) => readBuild(join(folder, name), null, files))
    .filter((build) => build !== undefined);
  if (own.length > 0 || given !== undefined) return { folder, builds: own };
  const packaged = packagesHere()
    .map(({ name }) => {
      const place = packageFolder(name);
      return place === undefined ? undefined : readBuild(place, name, files);
    })
    .filter((build) => build !== undefined);
  return { folder, builds: packaged };
}

/** Whether stainfold stands in a clone, where a build is made and not installed. */
export function isClone(): boolean {
  return existsSync(new URL('../../CMakeLists.txt', import.meta.url));
}

function packageFolder(name: string): string | undefined {
  let place: string;
  try {
    place = dirname(require.resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
  // The dynamic linker does not read Electron's archive; what asarUnpack names stands beside it.
  const unpacked = place.replace(`.asar${sep}`, `.asar.unpacked${sep}`);
  return existsSync(unpacked) ? unpacked : place;
}

function readBuild(folder: string, name: string | null, files: readonly string[]): NativeBuild | undefined {
  if (!['build.json', ...files].every((file) => existsSync(join(folder, file)))) return undefined;
  try {
    const stated = JSON.parse(readFileSync(join(folder, 'build.json'), 'utf8')) as object;
    return { ...(stated as Omit<NativeBuild, 'folder' | 'package'>), folder, package: name };
  } catch {
    return undefined; // a build in progress, or cut off
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
