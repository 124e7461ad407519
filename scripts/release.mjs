// npm run release [-- --builds DIR] [--out DIR] [--rehearse] [--publish]
//
// Everything that is published, made and described: packages, bill of materials (CycloneDX), digests, and the commands that publish
// it in an order in which no user meets a half-published version.
//
//   --builds DIR   one folder a platform package, linux-x64-cpu/{stainfold.node,preload.node,build.json}, as CI collects them; default:
//                  what build/native holds
//   --without NAME a platform that is left out on purpose, win32-x64-cu130; may be given again
//   --rehearse     go on where a real release would stop: uncommitted changes, no section in CHANGELOG.md, platforms without a build,
//                  no repository in package.json
//   --publish      run the commands, too: for CI, whose identity npm signs into the provenance
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { asCommand, capture, Refusal, ROOT, run } from './command.mjs';
import { packMain } from './pack-main.mjs';
import { mainManifest, packPlatform } from './pack-platform.mjs';

/** Resolves with { packages, sbom, digests, commands, remarks }; throws a Refusal with all that stands in the way of a real release. */
export async function prepareRelease({
  builds,
  out = join(ROOT, 'dist'),
  without = [],
  rehearse = false,
} = {}) {
  const { version } = mainManifest();
  mkdirSync(out, { recursive: true });
  // What an earlier release left, and nothing of anyone else's.
  for (const name of readdirSync(out).filter((one) =>
    /^stainfold-.*\.(?:tgz|cdx\.json)$|^SHA256SUMS$/.test(one),
  ))
    rmSync(join(out, name));
  const folders = buildFolders(builds);
  const left = without.map((name) => `@stainfold/${name}`);
  const remarks = await remarksOn(version, folders, left);
  if (remarks.length > 0 && !rehearse) throw new Refusal(`Not to be released: ${remarks.join('; ')}.`);

  const packages = [];
  for (const from of folders.values()) packages.push(await packPlatform({ from, out }));
  packages.push(await packMain({ out, without: left })); // last, here and when it is published: it depends on the others
  const sbom = join(out, `stainfold-${version}.cdx.json`);
  writeFileSync(sbom, `${JSON.stringify(await billOfMaterials(packages), null, 2)}\n`);

  const made = [...packages.map(({ tarball }) => tarball), sbom];
  const digests = join(out, 'SHA256SUMS');
  writeFileSync(digests, made.map((path) => `${digest('sha256', path)}  ${basename(path)}\n`).join(''));
  const commands = packages.map(({ tarball }) => [
    'npm',
    'publish',
    tarball,
    '--access=public',
    '--provenance',
  ]);
  return { packages, sbom, digests, commands, remarks };
}

/** Folders of builds by the name of their package. */
function buildFolders(builds) {
  const given = builds ?? join(ROOT, 'build', 'native');
  const names = existsSync(given) ? readdirSync(given).sort() : [];
  return new Map(
    names
      .filter((name) => existsSync(join(given, name, 'build.json')))
      .map((name) => [name, join(given, name)]),
  );
}

async function remarksOn(version, folders, left) {
  const { PLATFORM_PACKAGES } = await import('../lib/internal/platforms.js');
  const remarks = [];
  const changed = await capture('git', ['status', '--porcelain']).catch(() => '?');
  if (changed.trim() !== '') remarks.push('there are uncommitted changes');
  const changelog = readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8');
  if (!changelog.includes(`\n## ${version}`)) remarks.push(`CHANGELOG.md has no section '## ${version}'`);
  if (!mainManifest().repository) {
    remarks.push("package.json has no 'repository', which npm compares with where the provenance was signed");
  }
  const unknown = left.filter((name) => !PLATFORM_PACKAGES.some((one) => one.name === name));
  if (unknown.length > 0) throw new Refusal(`--without: there is no ${unknown.join(', ')}`);
  const wanted = PLATFORM_PACKAGES.length - left.length;
  if (folders.size < wanted) {
    const built = [...folders.keys()].join(', ') || 'none';
    remarks.push(`${folders.size} of ${wanted} platforms are built (${built})`);
  }
  return remarks;
}

/** npm's own list of what is installed for running, and what npm does not know: the binaries, and the LibTorch that users are given. */
async function billOfMaterials(packages) {
  const { RELEASES } = await import('../lib/libtorch/pins.js');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const args = ['sbom', '--sbom-format=cyclonedx', '--omit=dev', '--package-lock-only', '--loglevel=error'];
  const bill = JSON.parse(await capture(npm, args));
  const main = mainManifest();
  bill.metadata.component.name = main.name;
  const root = bill.metadata.component['bom-ref'];
  const binaries = packages
    .filter(({ name }) => name !== main.name)
    .map(({ name, version, tarball }) => ({
      'bom-ref': `${name}@${version}`,
      type: 'library',
      name,
      version,
      scope: 'optional',
      purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
      hashes: [{ alg: 'SHA-512', content: digest('sha512', tarball) }],
      licenses: [{ license: { id: main.license } }],
    }));
  const wheels = RELEASES.flatMap(({ wheels, variant }) =>
    wheels.map(({ project, version, file, sha256 }) => ({
      'bom-ref': `${project}@${version}#${variant}`,
      type: 'library',
      name: project,
      version,
      scope: 'excluded', // not inside: `stainfold libtorch install` fetches it, and checks this digest
      purl: `pkg:pypi/${project}@${encodeURIComponent(version)}?file_name=${encodeURIComponent(file)}`,
      hashes: [{ alg: 'SHA-256', content: sha256 }],
    })),
  );
  bill.components.push(...binaries, ...wheels);
  const mine = bill.dependencies.find(({ ref }) => ref === root);
  mine?.dependsOn.push(...binaries.map((one) => one['bom-ref']));
  return bill;
}

function digest(algorithm, path) {
  return createHash(algorithm).update(readFileSync(path)).digest('hex');
}

asCommand(import.meta.url, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      builds: { type: 'string' },
      out: { type: 'string' },
      without: { type: 'string', multiple: true },
      rehearse: { type: 'boolean' },
      publish: { type: 'boolean' },
    },
  });
  const { setup } = await import('./setup.mjs');
  await setup({ native: false });
  const { packages, sbom, digests, commands, remarks } = await prepareRelease(values);
  for (const remark of remarks) console.log(`remark: ${remark}`);
  for (const { name, version, bytes, unpackedBytes, files } of packages) {
    const size = `${(bytes / 1e6).toFixed(2)} MB (${(unpackedBytes / 1e6).toFixed(2)} unpacked)`;
    console.log(`${`${name}@${version}`.padEnd(36)} ${String(files.length).padStart(4)} files  ${size}`);
  }
  console.log(`${sbom}\n${digests}\n\n${values.publish ? 'Publishing' : 'To publish'}, in this order:`);
  for (const [program, ...given] of commands) {
    console.log(`  ${program} ${given.join(' ')}`);
    if (values.publish) await run(program, given);
  }
});
