// npm run pack:main [-- --out DIR]
//
// The package stainfold as it is published. Its package.json is the clone's, without what only a clone needs, and with the
// platform packages: in a clone these would make every `npm ci` ask a registry for versions that are not published yet.
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { asCommand, ROOT } from './command.mjs';
import { mainManifest, npmPack } from './pack-platform.mjs';

const CLONE_ONLY = ['scripts', 'devDependencies', 'ava', 'cmake-js', 'gypfile', 'private'];

/** package.json of the published package. `without`: names of platform packages that this release leaves out. */
export async function publishedManifest({ without = [] } = {}) {
  const { isDefault, PLATFORM_PACKAGES } = await import('../lib/internal/platforms.js');
  const published = PLATFORM_PACKAGES.filter(({ name }) => !without.includes(name));
  const manifest = mainManifest();
  for (const field of CLONE_ONLY) delete manifest[field];
  const pinned = (packages) => Object.fromEntries(packages.map(({ name }) => [name, manifest.version]));
  const optIn = published.filter((one) => !isDefault(one));
  return {
    ...manifest,
    optionalDependencies: pinned(published.filter(isDefault)),
    // An optional peer is never installed by itself; but where it is, its version is checked, and pnpm and Yarn let stainfold see it.
    peerDependencies: pinned(optIn),
    peerDependenciesMeta: Object.fromEntries(optIn.map(({ name }) => [name, { optional: true }])),
    publishConfig: { access: 'public', provenance: true },
  };
}

/** Stages and packs it; resolves as packPlatform does. */
export async function packMain({ out = join(ROOT, 'dist'), without = [] } = {}) {
  const folder = join(out, 'packages', 'stainfold');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const manifest = await publishedManifest({ without });
  for (const name of [...manifest.files, 'README.md', 'LICENSE']) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return npmPack(folder, out);
}

asCommand(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: { out: { type: 'string' } } });
  const { setup } = await import('./setup.mjs');
  await setup({ native: false });
  const { name, version, tarball, bytes, unpackedBytes, files } = await packMain(values);
  for (const { path, bytes: size } of files) console.log(`${String(size).padStart(9)}  ${path}`);
  const sizes = `${(bytes / 1e6).toFixed(2)} MB packed, ${(unpackedBytes / 1e6).toFixed(2)} MB unpacked`;
  console.log(`${name}@${version}  ${files.length} files, ${sizes}  ${tarball}`);
});
