// The native half of npm run fuzz: test/fuzz/native, built with sanitizers. libFuzzer's where a Clang brings it; else by the compiler
// there is, with a driver that changes the corpus at random, seeded, and sees no coverage.
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cmakeCommands, findCompiler } from './build-native.mjs';
import { capture, files, ROOT, run, which } from './command.mjs';

const CLANGS = ['clang++', ...Array.from({ length: 12 }, (_, i) => `clang++-${25 - i}`)];
/** LibTorch is not instrumented: what it keeps for itself is no leak of ours, and its vectors are not annotated. */
const ENVIRONMENT = {
  ASAN_OPTIONS: 'detect_leaks=0:detect_container_overflow=0:allocator_may_return_null=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
  OMP_NUM_THREADS: '1',
};

export const nativeNames = () =>
  files('test/fuzz/native', /\.cpp$/)
    .map((path) => path.split(/[\\/]/).at(-1).replace('.cpp', ''))
    .filter((name) => name !== 'driver')
    .map((name) => `native-${name}`);

/** Builds targets. Resolves with { engine, work }, or { skipped } with the reason. */
export async function buildFuzzers(names) {
  const { resolveLibTorch } = await import('../lib/libtorch/resolve.js');
  const { lockFolder } = await import('../lib/files/lock.js');
  let libtorch;
  try {
    libtorch = resolveLibTorch({ variant: 'cpu' });
  } catch (error) {
    return { skipped: error.message };
  }
  const clang = await findLibFuzzer();
  if (clang === undefined) {
    const missing = await tried(
      findCompilerOrNone(),
      '-fsanitize=address,undefined',
      'int main() { return 0; }',
    );
    if (missing) return { skipped: `the compiler has neither libFuzzer nor AddressSanitizer: ${missing}` };
  }
  // Without Clang, in the folder of `npm run sanitize`: its objects are the same.
  const folder = `cpu-${clang ? 'fuzz' : 'asan'}`;
  const work = join(ROOT, 'build', 'cmake', folder);
  const options = clang
    ? {
        CMAKE_CXX_COMPILER: clang,
        STAINFOLD_SANITIZE: 'address,undefined,float-cast-overflow,fuzzer-no-link',
        STAINFOLD_ADDON: 'OFF',
      }
    : { STAINFOLD_SANITIZE: 'address,undefined' };
  const lock = await lockFolder(join(ROOT, 'build', 'cmake'), `${folder}.lock`);
  try {
    const { configure, build } = await cmakeCommands(work, libtorch, {
      tests: clang === undefined,
      options: { ...options, STAINFOLD_FUZZ: 'ON', STAINFOLD_INSTALL: 'OFF' },
    });
    mkdirSync(work, { recursive: true });
    const start = performance.now();
    await run(configure[0], [...configure.slice(1), '-B', work, '--log-level=NOTICE']);
    await run(build[0], [...build.slice(1), '--target', ...names.map(programOf)]);
    const engine = clang ? 'libFuzzer' : 'seeded driver';
    console.log(
      `fuzz  native targets built for ${engine} (${((performance.now() - start) / 1000).toFixed(1)} s)`,
    );
    return { engine, work };
  } finally {
    lock.release();
  }
}

const programOf = (name) => name.replace('native-', 'fuzz_');

/** Fuzzes a target; resolves with what fuzzTarget of fuzz.mjs does. */
export async function fuzzNative(name, { engine, work }, { seconds, seed, crashes }) {
  const gained = join(ROOT, 'build', 'fuzz', 'work', name);
  rmSync(gained, { recursive: true, force: true });
  mkdirSync(gained, { recursive: true });
  mkdirSync(crashes, { recursive: true });
  const prefix = join(crashes, `${name}-`);
  const corpus = join(ROOT, 'test', 'fuzz', 'corpus', name);
  const started = performance.now();
  const { code, said } = await execute(join(work, programOf(name)), [
    ...(engine === 'libFuzzer' ? [gained, corpus] : [corpus]),
    `-max_total_time=${Math.max(1, Math.round(seconds))}`,
    `-seed=${seed}`,
    `-artifact_prefix=${prefix}`,
    '-timeout=20',
    '-rss_limit_mb=3072',
    '-max_len=4096',
    '-print_final_stats=1',
  ]);
  const coverage = [...said.matchAll(/cov: (\d+)/g)].map(([, count]) => Number(count));
  const pool = [...said.matchAll(/corp: (\d+)/g)].at(-1)?.[1];
  return {
    engine,
    executions: Number(/number_of_executed_units: (\d+)/.exec(said)?.[1] ?? 0),
    blocks: coverage.at(-1),
    gained: coverage.length === 0 ? undefined : coverage.at(-1) - coverage[0],
    pool: pool === undefined ? readdirSync(corpus).length : Number(pool),
    seconds: (performance.now() - started) / 1000,
    findings: code === 0 ? [] : [finding(said, code, `${prefix}current`)],
  };
}

/** Runs one input. Resolves with undefined, or with what was found. */
export async function replayNative(name, { work }, path) {
  const { code, said } = await execute(join(work, programOf(name)), [path]);
  return code === 0 ? undefined : finding(said, code, path);
}

function execute(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      env: { ...process.env, ...ENVIRONMENT },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code: code ?? signal, said }));
  });
}

/** libFuzzer names the file that it wrote; the driver's is the one that it was about to run. */
function finding(said, code, current) {
  const written = /Test unit written to (\S+)/.exec(said)?.[1] ?? current;
  const start = said.search(/==\d+==\s*ERROR|runtime error|broken:/);
  const bytes = existsSync(written) ? readFileSync(written).toString('base64') : '';
  return {
    kind: 'crash',
    detail: start < 0 ? `it ended with ${code}` : said.slice(start, start + 3000),
    bytes,
  };
}

async function findLibFuzzer() {
  if (process.platform !== 'linux') return undefined;
  const entry = 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }';
  for (const name of CLANGS) {
    const path = which(name);
    if (path && (await tried(path, '-fsanitize=fuzzer,address,undefined', entry)) === undefined) return path;
  }
  return undefined;
}

function findCompilerOrNone() {
  try {
    return findCompiler();
  } catch {
    return 'c++';
  }
}

/** Why a compiler cannot link a program with a flag; undefined where it can. */
async function tried(compiler, flag, source) {
  const folder = mkdtempSync(join(tmpdir(), 'stainfold-'));
  try {
    writeFileSync(join(folder, 'try.cpp'), source);
    await capture(compiler, [flag, join(folder, 'try.cpp'), '-o', join(folder, 'try')]);
    return undefined;
  } catch (error) {
    return error.message.split('\n')[0];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
