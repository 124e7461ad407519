// Invariant: the Electron example is right as far as this can be known without Electron: its types, its archive's rules, and that the
// addon is loaded from beside the archive, with nothing that Electron forbids in it.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
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
const here = reason ? test.skip : test.serial;
const having = (tool) => (tool ? test.serial : test.skip);

test('the example depends on this version and keeps the page away from Node', (t) => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  t.is(manifest.dependencies.stainfold, version);
  const main = readFileSync(join(EXAMPLE, 'main.js'), 'utf8');
  t.regex(main, /contextIsolation: true, sandbox: true/);
  t.regex(main, /setWindowOpenHandler\(\(\) => \(\{ action: 'deny' \}\)\)/);
  t.notRegex(main, /from 'stainfold'|nodeIntegration: true/);
  const page = readFileSync(join(EXAMPLE, 'renderer/index.html'), 'utf8');
  t.regex(page, /Content-Security-Policy" content="default-src 'self'"/);
});

/** What of Node-API makes JavaScript see memory that it did not allocate. Electron refuses the call, and the process with it. */
const EXTERNAL = /\b(?:napi_create_external_(?:array)?buffer|node_api_create_external_\w+)\b/g;
const importsOf = (path) => new Set(readFileSync(path, 'latin1').match(EXTERNAL) ?? []);

const built = existsSync(join(ROOT, 'build/native/cpu/stainfold.node')) ? test : test.skip;
built('no binary can make an external buffer', (t) => {
  for (const name of ['stainfold.node', 'preload.node'])
    t.deepEqual([...importsOf(join(ROOT, 'build/native/cpu', name))], [], name);
  // Sharp's does, so that the look at the binary is known to see one.
  const lib = join(ROOT, `node_modules/@img/sharp-${process.platform}-${process.arch}/lib`);
  const sharp = readdirSync(lib).find((name) => name.endsWith('.node'));
  t.true(importsOf(join(lib, sharp)).has('napi_create_external_buffer'));
});

const COPIES = `
  import { Worker } from 'node:worker_threads';
  import { loadEncoder } from 'stainfold';
  const encoder = await loadEncoder('phantom-tiny', { device: 'cpu', threads: 1 });
  const tile = (value) => ({ data: new Uint8Array(64 * 64 * 3).fill(value), width: 64, height: 64, channels: 3 });
  const { data } = await encoder.embed([tile(200), tile(90)]);
  const kept = data.slice();
  for (let i = 0; i < 20; i++) await encoder.embed([tile(i)]);
  await encoder.dispose();
  globalThis.gc();
  const alike = data.every((value, i) => value === kept[i]);
  const worker = new Worker('const { parentPort } = require("node:worker_threads"); parentPort.once("message", (z) => parentPort.postMessage(z.length));', { eval: true });
  worker.postMessage(data, [data.buffer]);
  const [moved] = await new Promise((resolve) => worker.once('message', (...said) => resolve(said)));
  console.log(alike, moved, data.length);`;

here('results are the memory of JavaScript: they outlive the encoder, and can be given away', async (t) => {
  const { folder } = await unpacked({ type: 'module' });
  write(folder, { 'copies.mjs': COPIES });
  const args = ['--expose-gc', 'copies.mjs'];
  const said = await run(process.execPath, args, { cwd: folder, env: userEnvironment() });
  t.is(said.stdout, 'true 256 0\n', said.stderr);
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
