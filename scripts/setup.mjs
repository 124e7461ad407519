// npm run setup: everything that a fresh clone lacks, in order: npm packages, lib, LibTorch, the addon. A stage that has nothing to do
// costs milliseconds. Node built-ins only until the packages are there.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildNative, findNvcc } from './build-native.mjs';
import { asCommand, digest, files, ROOT, run, status, tool } from './command.mjs';

/**
 * native: also LibTorch and the addon. variant: `cpu` or `cu130`; default: STAINFOLD_VARIANT, else the one that `libtorch` or
 * LIBTORCH is, else cu130 where an NVIDIA driver and nvcc are, else cpu. tests: the native tests, too. clean: build from nothing.
 */
export async function setup({ native = true, variant, libtorch, tests = false, clean = false } = {}) {
  await stage('packages', installPackages);
  await stage('lib', compileLib);
  if (!native) return;
  const wanted = variant ?? process.env.STAINFOLD_VARIANT ?? (await defaultVariant(libtorch));
  await stage('libtorch', () => provideLibTorch(wanted, libtorch));
  await stage('native', async () => {
    const made = await buildNative({ variant: wanted, libtorch, tests, clean });
    return `${made.variant} ${made.built ? 'built' : 'up to date'}`;
  });
}

async function stage(name, work) {
  const start = performance.now();
  const outcome = await work();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`setup  ${name.padEnd(9)} ${outcome} (${seconds} s)`);
}

async function installPackages() {
  if (packagesMatch()) return 'up to date';
  // No install scripts: what is needed of the packages is prebuilt, and one of them would reach out and fail offline.
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error'];
  const code = await status('npm', ['ci', ...quiet, '--silent']);
  // A mirror that lacks other platforms' optional packages makes `npm ci` call the lock file out of date. `npm install` takes the
  // same versions from it, and leaves it as it is.
  if (code !== 0) await run('npm', ['install', '--no-save', ...quiet]);
  return 'installed';
}

/** Whether npm's record of what it installed has every package of the lock file. Not by date: a checkout sets dates as it likes. */
function packagesMatch() {
  const record = readIfThere(join(ROOT, 'node_modules', '.package-lock.json'));
  if (record === undefined) return false;
  const installed = JSON.parse(record).packages;
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  return Object.entries(packages).every(([path, { version, optional }]) => {
    if (path === '') return true;
    return installed[path] ? installed[path].version === version : optional === true; // other platforms' binaries
  });
}

async function compileLib() {
  const stamp = join(ROOT, 'build', 'lib.stamp');
  const sources = files('ts');
  const state = digest([...sources, 'tsconfig.json', 'package-lock.json']);
  const outputs = sources.map((path) => path.replace(/^ts/, 'lib').replace(/ts$/, 'js'));
  if (readIfThere(stamp) === state && outputs.every((path) => existsSync(join(ROOT, path))))
    return 'up to date';
  rmSync(stamp, { force: true });
  await run(tool('tsc'), ['-p', 'tsconfig.json']);
  // What a removed or renamed source left behind must not be published, nor found by an import.
  const current = new Set(outputs.flatMap((path) => [path, path.replace(/\.(c?)js$/, '.d.$1ts')]));
  for (const path of files('lib')) if (!current.has(path)) rmSync(join(ROOT, path));
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, state);
  return 'compiled';
}

async function defaultVariant(libtorch) {
  const { inspectTree } = await import('../lib/libtorch/layout.js');
  const { autoVariant } = await import('../lib/libtorch/host.js');
  const named = libtorch ?? process.env.LIBTORCH;
  const tree = named ? inspectTree(named) : undefined;
  if (tree) return tree.variant;
  return findNvcc() ? autoVariant() : 'cpu';
}

async function provideLibTorch(variant, path) {
  const { resolveLibTorch } = await import('../lib/libtorch/resolve.js');
  try {
    const found = resolveLibTorch({ path, variant });
    return `${found.version} ${found.variant} in ${found.root}`;
  } catch (error) {
    const named = path ?? process.env.LIBTORCH;
    if (error.code !== 'STAINFOLD_LIBTORCH_MISSING' || named) throw error;
  }
  const { installLibTorch } = await import('../lib/libtorch/install.js');
  const { stageReporter } = await import('./progress.mjs');
  const installed = await installLibTorch({ variant, onProgress: stageReporter() });
  return `${installed.version} ${installed.variant} installed in ${installed.root}`;
}

function readIfThere(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

asCommand(import.meta.url, async (args) => {
  const { values } = parseArgs({
    args,
    options: { variant: { type: 'string' }, libtorch: { type: 'string' }, tests: { type: 'boolean' } },
  });
  await setup({ native: true, ...values });
});
