// Invariant: a platform package says of its binaries what is in them, and npm installs it only where they run.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { abiFloor } from '../../lib/internal/elf.js';
import { PLATFORM_PACKAGES, packagesHere } from '../../lib/internal/platforms.js';
import { VERSION } from '../../lib/internal/version.js';
import { publishedManifest } from '../../scripts/pack-main.mjs';
import { binaryPlatform, packPlatform, platformManifest } from '../../scripts/pack-platform.mjs';
import { temporaryFolder } from '../temporary.js';

/** Sharp's addon stands for ours: a real binary of this platform. */
function binaryAtHand() {
  const folder = join(
    import.meta.dirname,
    `../../node_modules/@img/sharp-${process.platform}-${process.arch}/lib`,
  );
  return readFileSync(
    join(
      folder,
      readdirSync(folder).find((name) => name.endsWith('.node')),
    ),
  );
}

function fakeBuild(described = {}, binary = binaryAtHand()) {
  const folder = temporaryFolder('build');
  for (const name of ['stainfold.node', 'preload.node']) writeFileSync(join(folder, name), binary);
  const build = { libtorch: '2.13.0', variant: 'cpu', archs: [], stainfold: VERSION, ...described };
  writeFileSync(join(folder, 'build.json'), JSON.stringify(build));
  return folder;
}

test('packed: the binaries, their digests, the floor read from them, and nothing else', async (t) => {
  const out = temporaryFolder('dist');
  const from = fakeBuild();
  const packed = await packPlatform({ from, out });
  const here = packagesHere().find(({ variant }) => variant === 'cpu');
  t.is(packed.name, here.name);
  t.is(packed.version, VERSION);
  t.deepEqual(packed.files.map(({ path }) => path).sort(), [
    'LICENSE',
    'README.md',
    'build.json',
    'package.json',
    'preload.node',
    'stainfold.node',
  ]);
  const stated = JSON.parse(readFileSync(join(packed.folder, 'build.json'), 'utf8'));
  const sha256 = createHash('sha256').update(binaryAtHand()).digest('hex');
  t.deepEqual(stated.sha256, { 'stainfold.node': sha256, 'preload.node': sha256 });
  t.deepEqual(stated.abi, abiFloor([join(from, 'stainfold.node')]));
  if (process.platform === 'linux') t.regex(stated.abi.glibc, /^2\.\d+$/);
  const readme = readFileSync(join(packed.folder, 'README.md'), 'utf8');
  if (stated.abi) t.true(readme.includes(`glibc ${stated.abi.glibc}`));
});

test('what would not work for a user is refused: another version, another LibTorch, another platform, an unfinished build', async (t) => {
  const out = temporaryFolder('dist');
  const refused = (from) => t.throwsAsync(packPlatform({ from, out }));
  t.regex((await refused(fakeBuild({ stainfold: '0.0.9' }))).message, /is of stainfold 0\.0\.9; this is/);
  t.regex(
    (await refused(fakeBuild({ libtorch: '2.12.0' }))).message,
    /for LibTorch 2\.12\.0; users get 2\.13/,
  );
  t.regex((await refused(fakeBuild({}, Buffer.from('text')))).message, /no known binary/);
  const empty = temporaryFolder('build');
  mkdirSync(join(empty, 'x'));
  t.regex((await refused(empty)).message, /holds no stainfold\.node/);
});

test('which system a binary is for: ELF, Mach-O, PE; not what is cut off', (t) => {
  const header = (write) => {
    const file = Buffer.alloc(256);
    write(file);
    return binaryPlatform(file);
  };
  const elf = (machine) =>
    header((file) => {
      file.writeUInt32BE(0x7f454c46);
      file.writeUInt16LE(machine, 18);
    });
  t.deepEqual(
    [elf(62), elf(183)],
    [
      { os: 'linux', cpu: 'x64' },
      { os: 'linux', cpu: 'arm64' },
    ],
  );
  t.is(elf(40), undefined);
  const mach = header((file) => {
    file.writeUInt32LE(0xfeedfacf);
    file.writeUInt32LE(0x0100000c, 4);
  });
  t.deepEqual(mach, { os: 'darwin', cpu: 'arm64' });
  const pe = (at) =>
    header((file) => {
      file.write('MZ');
      file.writeUInt32LE(at, 60);
      if (at < 200) file.write('PE\0\0', at, 'latin1');
      if (at < 200) file.writeUInt16LE(0x8664, at + 4);
    });
  t.deepEqual(pe(128), { os: 'win32', cpu: 'x64' });
  t.is(pe(1000), undefined);
  t.is(binaryPlatform(Buffer.alloc(3)), undefined);
  t.deepEqual(binaryPlatform(binaryAtHand()), { os: process.platform, cpu: process.arch });
});

test('every platform has a manifest that npm can choose by', (t) => {
  t.deepEqual(
    PLATFORM_PACKAGES.map(({ name }) => name),
    [
      '@stainfold/linux-x64-cpu',
      '@stainfold/linux-x64-cu130',
      '@stainfold/linux-arm64-cpu',
      '@stainfold/darwin-arm64',
      '@stainfold/win32-x64-cpu',
      '@stainfold/win32-x64-cu130',
    ],
  );
  for (const platform of PLATFORM_PACKAGES) {
    const manifest = platformManifest(platform);
    t.true(platform.name.startsWith(`@stainfold/${platform.os}-${platform.cpu}`));
    t.deepEqual([manifest.os, manifest.cpu], [[platform.os], [platform.cpu]]);
    t.deepEqual(manifest.libc, platform.os === 'linux' ? ['glibc'] : undefined);
    t.is(manifest.version, VERSION);
    t.is(manifest.license, 'Apache-2.0');
    t.false('scripts' in manifest);
  }
});

test('the published package: pinned platform packages, CUDA never by default, nothing of the clone', async (t) => {
  const manifest = await publishedManifest();
  t.deepEqual(manifest.optionalDependencies, {
    '@stainfold/linux-x64-cpu': VERSION,
    '@stainfold/linux-arm64-cpu': VERSION,
    '@stainfold/darwin-arm64': VERSION,
    '@stainfold/win32-x64-cpu': VERSION,
  });
  t.deepEqual(manifest.peerDependencies, {
    '@stainfold/linux-x64-cu130': VERSION,
    '@stainfold/win32-x64-cu130': VERSION,
  });
  for (const name of Object.keys(manifest.peerDependencies))
    t.deepEqual(manifest.peerDependenciesMeta[name], { optional: true });
  for (const field of ['scripts', 'devDependencies', 'ava', 'cmake-js']) t.false(field in manifest, field);
});
