// Invariant: the Electron example is right as far as this can be known without Electron: its types, its archive's rules, and that the
// addon is loaded from beside the archive, with nothing that Electron forbids in it.
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { run, unpacked, userEnvironment, whyNot, write } from './consumer.js';
import { obtain } from './tools.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const EXAMPLE = join(ROOT, 'examples/electron');
const TSC = join(ROOT, 'node_modules/.bin/tsc');
const manifest = JSON.parse(readFileSync(join(EXAMPLE, 'package.json'), 'utf8'));

const reason = whyNot();
if (reason) console.log(`skipped: ${reason}`);
const [asar, electron] = reason
  ? []
  : [await obtain('@electron/asar@3.4.1'), await obtain('electron@45.4.1')];
const having = (tool) => (tool ? test.serial : test.skip);

test('the example depends on this version and keeps the page away from Node', (t) => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  t.is(manifest.dependencies.stainfold, version);
  const main = readFileSync(join(EXAMPLE, 'main.js'), 'utf8');
  t.regex(main, /contextIsolation: true, sandbox: true/);
  t.notRegex(main, /from 'stainfold'/);
});

test('the addon is compiled so that an external buffer would not compile', (t) => {
  const flags = readFileSync(join(ROOT, 'native/cmake/addon.cmake'), 'utf8');
  t.regex(flags, /NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED/);
});

test('the example type-checks against its own declarations', async (t) => {
  const said = await run(TSC, ['-p', join(EXAMPLE, 'tsconfig.json')], { cwd: ROOT, env: process.env });
  t.is(said.code, 0, said.stdout);
});

having(electron)("the example type-checks against Electron's own declarations", async (t) => {
  const config = {
    extends: join(EXAMPLE, 'tsconfig.json'),
    compilerOptions: {
      rootDir: '/',
      paths: {
        stainfold: [join(ROOT, 'ts/index.ts')],
        electron: [join(electron.folder, 'node_modules/electron/electron.d.ts')],
      },
      typeRoots: [join(ROOT, 'node_modules/@types')],
    },
    include: ['*.js', '*.cjs', 'renderer/*.js', 'types/window.d.ts'].map((one) => join(EXAMPLE, one)),
    files: [join(electron.folder, 'node_modules/electron/electron.d.ts')],
  };
  const folder = join(ROOT, 'build/test-tools');
  write(folder, { 'electron.tsconfig.json': JSON.stringify(config) });
  const said = await run(TSC, ['-p', join(folder, 'electron.tsconfig.json')], {
    cwd: ROOT,
    env: process.env,
  });
  t.is(said.code, 0, said.stdout);
});

/** What a packager lays out: the application and copies of what it needs to run, no links. */
async function application() {
  const { folder, main, platform } = await unpacked();
  const app = join(folder, 'resources-source');
  cpSync(EXAMPLE, app, { recursive: true });
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'node_modules/.package-lock.json'), 'utf8'));
  for (const [path, { dev }] of Object.entries(packages)) {
    if (!dev) cpSync(join(ROOT, path), join(app, path), { recursive: true });
  }
  for (const { name } of [main, platform])
    cpSync(join(folder, 'node_modules', name), join(app, 'node_modules', name), { recursive: true });
  return { folder, app };
}

const PROGRAM = `
import { loadEncoder } from 'stainfold';
const encoder = await loadEncoder('phantom-tiny', { device: 'cpu', threads: 1 });
const pixels = { data: new Uint8Array(64 * 64 * 3).fill(200), width: 64, height: 64, channels: 3 };
const { shape } = await encoder.embed([pixels]);
await encoder.dispose();
const { sharedObjects } = process.report.getReport();
console.log(JSON.stringify({ shape, addons: sharedObjects.filter((path) => /(stainfold|preload)\\.node$/.test(path)) }));
`;

having(asar)(
  'asarUnpack: every binary stands beside the archive, and the addon is loaded from there',
  async (t) => {
    const { folder, app } = await application();
    write(app, { 'program.mjs': PROGRAM });
    const { createPackageWithOptions, extractAll, listPackage, statFile } = asar.require('@electron/asar');
    const archive = join(folder, 'resources', 'app.asar');
    mkdirSync(join(folder, 'resources'));
    await createPackageWithOptions(app, archive, {
      unpackDir: `{${manifest.build.asarUnpack.map((one) => one.replace(/\/\*\*$/, '')).join(',')}}`,
    });

    const files = listPackage(archive).filter((path) => 'size' in statFile(archive, path.slice(1)));
    const binaries = files.filter((path) => /\.(?:node|so(?:\.[\d.]+)?|dylib|dll)$/.test(path));
    t.true(binaries.some((path) => path.endsWith('stainfold.node')));
    t.true(binaries.some((path) => /libvips/.test(path)));
    for (const path of binaries) t.true(statFile(archive, path.slice(1)).unpacked, path);
    const inside = files.filter((path) => !statFile(archive, path.slice(1)).unpacked);
    t.true(inside.includes('/node_modules/stainfold/lib/index.js'), 'JavaScript stays in the archive');
    t.true(
      existsSync(`${archive}.unpacked/node_modules/@stainfold/linux-${process.arch}-cpu/stainfold.node`),
    );

    // Electron shows an archive as a folder in which what is unpacked is there, too. Under plain Node a folder of that name stands for it.
    const shown = join(folder, 'shown', 'app.asar');
    mkdirSync(shown, { recursive: true });
    extractAll(archive, shown);
    renameSync(`${archive}.unpacked`, `${shown}.unpacked`);
    const said = await run(process.execPath, [join(shown, 'program.mjs')], {
      cwd: folder,
      env: userEnvironment(),
    });
    t.is(said.code, 0, said.stderr);
    const { shape, addons } = JSON.parse(said.stdout);
    t.deepEqual(shape, [1, 128]);
    t.is(addons.length, 2);
    for (const path of addons) t.true(path.startsWith(`${shown}.unpacked`), path);
  },
);
