// npm run build:native [-- --variant cpu|cu130] [--libtorch DIR] [--tests] [--clean]
//
// stainfold.node, preload.node and build.json into build/native/VARIANT; CMake's own files and the native tests into
// build/cmake/VARIANT. cmake-js composes the CMake command; Node's headers come from the package node-api-headers, so that
// nothing is downloaded.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { asCommand, digest, files, isExecutable, Refusal, ROOT, run, which } from './command.mjs';
import { cudaArchitectures } from './fatbin.mjs';

const BINARIES = ['stainfold.node', 'preload.node'];

/**
 * Builds one variant unless it is up to date. `libtorch`: a folder; default: looked up as at run time.
 * Resolves with { built, variant, folder }; `built` is false when there was nothing to do.
 */
export async function buildNative({ variant, libtorch: path, tests = false, clean = false } = {}) {
  const { resolveLibTorch } = await import('../lib/libtorch/resolve.js');
  const { lockFolder } = await import('../lib/files/lock.js');
  const libtorch = resolveLibTorch({ path, variant });
  const cuda = libtorch.variant !== 'cpu';
  const folder = join(ROOT, 'build', 'native', libtorch.variant);
  const work = join(ROOT, 'build', 'cmake', libtorch.variant);

  const lock = await lockFolder(join(ROOT, 'build', 'cmake'), `${libtorch.variant}.lock`);
  try {
    if (clean) for (const stale of [work, folder]) rmSync(stale, { recursive: true, force: true });
    const stamp = sourceStamp(libtorch, tests);
    if (isUpToDate(folder, work, stamp, tests)) return { built: false, variant: libtorch.variant, folder };

    const { configure, build } = await cmakeCommands(work, libtorch, {
      tests,
      nvcc: cuda ? requireNvcc() : undefined,
    });
    mkdirSync(work, { recursive: true });
    await run(configure[0], [...configure.slice(1), '-B', work, '--log-level=NOTICE']);
    await run(build[0], build.slice(1));
    await place(work, folder, libtorch);
    writeFileSync(join(work, 'stamp'), stamp);
    if (tests) writeFileSync(join(work, 'stamp-tests'), stamp);
    return { built: true, variant: libtorch.variant, folder };
  } finally {
    lock.release();
  }
}

/** The path of nvcc, or undefined. */
export function findNvcc() {
  const { CUDACXX, CUDA_HOME, CUDA_PATH } = process.env;
  const homes = [CUDA_HOME, CUDA_PATH, '/usr/local/cuda']
    .filter(Boolean)
    .map((home) => join(home, 'bin', 'nvcc'));
  return [CUDACXX, ...homes].find((path) => path && isExecutable(path)) ?? which('nvcc');
}

function requireNvcc() {
  const nvcc = findNvcc();
  if (nvcc) return nvcc;
  throw new Refusal(
    'The CUDA variant needs nvcc (CUDA toolkit 13.0), and none is at CUDACXX, CUDA_HOME, /usr/local/cuda or on PATH. ' +
      "Install the toolkit, or build the CPU variant: 'npm run build:native -- --variant cpu'.",
  );
}

function sourceStamp(libtorch, tests) {
  const sources = files('native').concat('CMakeLists.txt', 'package.json', tests ? files('test/cpp') : []);
  const { CXX, CXXFLAGS, CUDACXX, STAINFOLD_CUDA_ARCHITECTURES } = process.env;
  return digest(
    sources,
    libtorch.root,
    libtorch.version,
    CXX,
    CXXFLAGS,
    CUDACXX,
    STAINFOLD_CUDA_ARCHITECTURES,
  );
}

function isUpToDate(folder, work, stamp, tests) {
  const stamped = join(work, tests ? 'stamp-tests' : 'stamp');
  const placed = [...BINARIES, 'build.json'].every((name) => existsSync(join(folder, name)));
  return placed && existsSync(stamped) && readFileSync(stamped, 'utf8') === stamp;
}

/** The C++ compiler that CMake will take. */
export function findCompiler() {
  const compiler = process.env.CXX?.split(' ')[0] ?? ['c++', 'g++', 'clang++'].find((name) => which(name));
  if (!compiler || !(isExecutable(compiler) || which(compiler))) {
    throw new Refusal(
      `A C++20 compiler is needed (GCC 11 or Clang 14 and newer)${compiler ? `; CXX names ${compiler}, which is not there` : ''}: ` +
        "'apt-get install g++' or 'xcode-select --install'.",
    );
  }
  return compiler;
}

/** CMake's command lines: configure, without its -B, and build. `tests`: with the native tests. `options`: further ones of CMakeLists.txt. */
export async function cmakeCommands(work, libtorch, { tests, nvcc, options = {} }) {
  if (!which('cmake')) {
    throw new Refusal(
      "CMake 3.22 or newer is needed: 'apt-get install cmake', 'brew install cmake', or cmake.org.",
    );
  }
  findCompiler();
  const archs = process.env.STAINFOLD_CUDA_ARCHITECTURES; // as CMake writes them: 80-real;90
  const { default: cmakeJs } = await import('cmake-js');
  const cmake = new cmakeJs.CMake({
    directory: ROOT,
    out: work,
    isNodeApi: true, // headers from node-api-headers and node-addon-api, so that cmake-js downloads none
    generator: which('ninja') ? 'Ninja' : 'Unix Makefiles',
    parallel: String(jobs()),
    cMakeOptions: {
      STAINFOLD_LIBTORCH: libtorch.root,
      STAINFOLD_TESTS: tests ? 'ON' : 'OFF',
      STAINFOLD_INSTALL: tests ? 'ON' : 'OFF', // tried by test/package; links what is compiled anyway
      STAINFOLD_ADDON: 'ON',
      STAINFOLD_CUDA: nvcc ? 'ON' : 'OFF',
      STAINFOLD_NODE_INCLUDE: nodeIncludes().join(';'),
      ...(nvcc ? { CMAKE_CUDA_COMPILER: nvcc } : {}),
      ...(archs ? { STAINFOLD_CUDA_ARCHITECTURES: archs } : {}),
      ...options,
    },
  });
  return { configure: await cmake.getConfigureCommand(), build: await cmake.getBuildCommand() };
}

function nodeIncludes() {
  return ['node-api-headers/include', 'node-addon-api'].map((path) => join(ROOT, 'node_modules', path));
}

/** One compiler a core, but no more than memory holds: a file with LibTorch's headers takes up to 2 GiB. */
function jobs() {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / 2 ** 31)));
}

/** What was built in `work`, with its build.json, into a folder that the loader takes a build from. */
export async function place(work, folder, libtorch) {
  const { abiFloor } = await import('../lib/internal/elf.js');
  mkdirSync(folder, { recursive: true });
  rmSync(join(folder, 'build.json'), { force: true }); // no description while the binaries change
  for (const name of BINARIES) {
    const made = join(work, 'Release', name);
    if (!existsSync(made))
      throw new Refusal(`The build made no ${name} (looked in ${join(work, 'Release')}).`);
    copyFileSync(made, join(folder, `${name}.new`));
    renameSync(join(folder, `${name}.new`), join(folder, name)); // a process may have the old one mapped
  }
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const archs = cudaArchitectures(readFileSync(join(folder, 'stainfold.node'))); // what is there, not what was asked for
  const description = {
    libtorch: libtorch.version,
    variant: libtorch.variant,
    archs,
    stainfold: version,
    abi: abiFloor(BINARIES.map((name) => join(folder, name))), // the oldest system that it runs on
  };
  writeFileSync(join(folder, 'build.json'), `${JSON.stringify(description, null, 2)}\n`);
}

asCommand(import.meta.url, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      variant: { type: 'string' },
      libtorch: { type: 'string' },
      tests: { type: 'boolean' },
      clean: { type: 'boolean' },
    },
  });
  if (values.variant !== undefined && !/^(cpu|cu\d+)$/.test(values.variant)) {
    throw new Refusal(`--variant takes cpu or cu130, got '${values.variant}'.`);
  }
  // What this script itself needs: cmake-js, and the resolver in lib. An archive for a machine without a network brings both.
  if (!['node_modules/cmake-js', 'lib/libtorch/resolve.js'].every((path) => existsSync(join(ROOT, path)))) {
    const { setup } = await import('./setup.mjs');
    await setup({ native: false });
  }
  const { built, variant, folder } = await buildNative(values);
  console.log(`${variant} ${built ? 'built' : 'is up to date'}: ${folder}`);
});
