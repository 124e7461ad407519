// npm run pack:platform [-- --variant cpu|cu130] [--from DIR] [--out DIR]
//
// One build of the addon as an npm package: @stainfold/linux-x64-cpu and its like. --from: folder of the build (default:
// build/native/VARIANT). --out: where the package's folder and its .tgz go (default: dist).
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { asCommand, capture, Refusal, ROOT } from './command.mjs';

const BINARIES = ['stainfold.node', 'preload.node'];

/** The main package's package.json. */
export function mainManifest() {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
}

/** package.json of a platform package. */
export function platformManifest(platform) {
  const { version, license, engines, repository, homepage } = mainManifest();
  const { name, os, cpu, libc, variant } = platform;
  const runs = variant === 'cpu' ? 'CPU' : `CUDA ${variant.replace(/^cu(\d+)(\d)$/, '$1.$2')}`;
  return {
    name,
    version,
    description: `The native addon of stainfold for ${os} on ${cpu}, ${runs}. LibTorch is not inside.`,
    license,
    ...(repository && { repository }),
    ...(homepage && { homepage }),
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    engines,
    files: [...BINARIES, 'build.json'],
    preferUnplugged: true, // a dynamic library cannot be loaded from Yarn's archive
    publishConfig: { access: 'public', provenance: true },
  };
}

/** Which system a binary is for, from its first bytes: { os, cpu }, or undefined. */
export function binaryPlatform(file) {
  if (file.length < 64) return undefined;
  if (file.readUInt32BE(0) === 0x7f454c46) {
    const cpu = { 62: 'x64', 183: 'arm64' }[file.readUInt16LE(18)];
    return cpu && { os: 'linux', cpu };
  }
  if (file.readUInt32LE(0) === 0xfeedfacf) {
    const cpu = { 16777223: 'x64', 16777228: 'arm64' }[file.readUInt32LE(4)];
    return cpu && { os: 'darwin', cpu };
  }
  const header = file.toString('latin1', 0, 2) === 'MZ' ? file.readUInt32LE(60) : file.length;
  if (header + 6 > file.length || file.toString('latin1', header, header + 4) !== 'PE\0\0') return undefined;
  const cpu = { 34404: 'x64', 43620: 'arm64' }[file.readUInt16LE(header + 4)];
  return cpu && { os: 'win32', cpu };
}

/**
 * Stages and packs one build. Resolves with { name, version, folder, tarball, files, bytes, unpackedBytes, build }.
 */
export async function packPlatform({ variant = 'cpu', from, out = join(ROOT, 'dist') } = {}) {
  const { PLATFORM_PACKAGES } = await import('../lib/internal/platforms.js');
  const { abiFloor } = await import('../lib/internal/elf.js');
  const { releaseFor } = await import('../lib/libtorch/pins.js');
  const { minorOf } = await import('../lib/libtorch/layout.js');
  const source = from ?? join(ROOT, 'build', 'native', variant);
  const missing = [...BINARIES, 'build.json'].find((name) => !existsSync(join(source, name)));
  if (missing) {
    throw new Refusal(`${source} holds no ${missing}: run 'npm run build:native -- --variant ${variant}'.`);
  }
  const build = JSON.parse(readFileSync(join(source, 'build.json'), 'utf8'));
  const { version } = mainManifest();
  if (build.stainfold !== version) {
    throw new Refusal(`The build in ${source} is of stainfold ${build.stainfold}; this is ${version}.`);
  }
  const found = BINARIES.map((name) => binaryPlatform(readFileSync(join(source, name))));
  const platform = PLATFORM_PACKAGES.find(
    (one) =>
      one.variant === build.variant && found.every((made) => made?.os === one.os && made?.cpu === one.cpu),
  );
  if (!platform) {
    const made = found.map((one) => (one ? `${one.os} ${one.cpu}` : 'no known binary')).join(', ');
    throw new Refusal(`There is no package for ${build.variant} and what is in ${source}: ${made}.`);
  }
  // `libtorch install` gets the pinned LibTorch, and a build loads with its own minor version only.
  const pinned = releaseFor(build.variant).version;
  if (minorOf(pinned) !== minorOf(build.libtorch)) {
    throw new Refusal(
      `The build in ${source} is for LibTorch ${build.libtorch}; users get ${pinned}. Build it with that one.`,
    );
  }

  const folder = join(out, 'packages', platform.name.replace('@stainfold/', ''));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of BINARIES) copyFileSync(join(source, name), join(folder, name));
  const sha256 = Object.fromEntries(BINARIES.map((name) => [name, digestOf(join(folder, name))]));
  const abi = abiFloor(BINARIES.map((name) => join(folder, name)));
  const stated = { ...build, abi, sha256 };
  writeFileSync(join(folder, 'build.json'), `${JSON.stringify(stated, null, 2)}\n`);
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(platformManifest(platform), null, 2)}\n`);
  writeFileSync(join(folder, 'README.md'), readme(platform, stated));
  copyFileSync(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
  return { ...(await npmPack(folder, out)), build: stated };
}

/** `npm pack` of a folder: { name, version, folder, tarball, files, bytes, unpackedBytes }. */
export async function npmPack(folder, out) {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const args = ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', out];
  const [packed] = JSON.parse(await capture(npm, args, { cwd: folder }));
  return {
    name: packed.name,
    version: packed.version,
    folder,
    tarball: join(out, packed.filename),
    files: packed.files.map(({ path, size }) => ({ path, bytes: size })),
    bytes: packed.size,
    unpackedBytes: packed.unpackedSize,
  };
}

function digestOf(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function readme({ name, os, cpu, libc }, { libtorch, archs, abi, stainfold }) {
  const system = [`${os} on ${cpu}`, abi?.glibc ? `glibc ${abi.glibc} or newer` : libc].filter(Boolean);
  return `# ${name}

The native addon of [stainfold](https://www.npmjs.com/package/stainfold) ${stainfold}, for ${system.join(', ')}.
${abi?.glibcxx ? `It needs a libstdc++ with GLIBCXX_${abi.glibcxx}.\n` : ''}Built for LibTorch ${libtorch}${archs.length > 0 ? ` and the GPU architectures ${archs.join(', ')}` : ''}; LibTorch is not inside: \`npx stainfold setup\`.

Nothing to import here: \`stainfold\` finds it. Both must be of exactly the same version.
`;
}

asCommand(import.meta.url, async (args) => {
  const { values } = parseArgs({
    args,
    options: { variant: { type: 'string' }, from: { type: 'string' }, out: { type: 'string' } },
  });
  const { setup } = await import('./setup.mjs');
  await setup({ native: false });
  const { name, version, tarball, bytes, build } = await packPlatform(values);
  const { abi } = build;
  console.log(`${name}@${version}  ${(bytes / 1e6).toFixed(2)} MB  ${tarball}`);
  if (abi) console.log(`needs glibc ${abi.glibc}, GLIBCXX ${abi.glibcxx}, CXXABI ${abi.cxxabi}`);
});
