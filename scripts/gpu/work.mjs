// The stages of scripts/gpu.mjs. Each takes what is given and its limit in seconds, and resolves with its part of the report.
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { runLimited } from './stages.mjs';

/** The tests whose names begin so run every kernel once, small: fast enough under a tool that slows them a hundred times. */
const SANITIZED = 'sanitizer:*';

export async function build({ variant, devices, root }, seconds) {
  // For this device alone: code for others would be compiled for nothing.
  const [major, minor] = devices[0]?.capability?.split('.') ?? [];
  const architecture = minor === undefined ? {} : { STAINFOLD_CUDA_ARCHITECTURES: `${major}${minor}-real` };
  const args = ['scripts/build-native.mjs', '--variant', variant, '--tests'];
  const result = await runLimited(process.execPath, args, {
    seconds,
    cwd: root,
    env: process.env.STAINFOLD_CUDA_ARCHITECTURES ? {} : architecture,
    echo: true,
  });
  return outcome(result);
}

/** A section of the benchmark, as far as it fits. */
export function bench(section) {
  return async ({ device, out, root }, seconds) => {
    const args = ['scripts/bench.mjs', '--brief', '--only', section, '--device', device, '--out', out];
    // A rival that compiles for too long must leave the others time to be measured.
    const patience = Math.max(20, Math.floor(0.65 * seconds));
    const result = await runLimited(process.execPath, [...args, '--patience', String(patience)], {
      seconds,
      cwd: root,
      echo: true,
    });
    return outcome(result);
  };
}

/** The CUDA tests of the operators. */
export async function kernels(given, seconds) {
  return doctest(join(folderOf(given), 'test_ops'), ['-tc=*CUDA*', '-tce=*emulated*'], seconds);
}

/** Every native test binary, as long as there is time. */
export async function nativeTests(given, seconds) {
  const end = performance.now() + seconds * 1000;
  const total = { status: 'passed', passed: 0, failed: 0, binaries: {} };
  for (const name of binariesIn(folderOf(given))) {
    const left = (end - performance.now()) / 1000;
    const counts =
      left < 5 ? { status: 'no time left' } : await doctest(join(folderOf(given), name), [], left);
    total.binaries[name] = counts;
    total.passed += counts.passed ?? 0;
    total.failed += counts.failed ?? 0;
    if (counts.status !== 'passed') total.status = counts.status;
  }
  return total;
}

export async function addonTests({ root }, seconds) {
  const ava = join(root, 'node_modules/ava/entrypoints/cli.mjs');
  const args = [ava, '--tap', '--serial', 'test/gpu/*.test.js', 'test/native/*.test.js'];
  const result = await runLimited(process.execPath, args, { seconds, cwd: root });
  const { output } = result;
  const count = (pattern) => (output.match(pattern) ?? []).length;
  const counts = {
    passed: count(/^ok \d+(?!.*# SKIP)/gm),
    failed: count(/^not ok /gm),
    skipped: count(/^ok \d+.*# SKIP/gm),
  };
  const told = outcome(result);
  if (told.status !== 'passed') console.log(output.slice(-6000));
  return { ...told, ...counts };
}

/** Our kernels under compute-sanitizer: reads and writes out of bounds, and races in shared memory. */
export async function sanitize(given, seconds) {
  const tool = given.tools.sanitizer;
  if (!tool) return { status: 'missing', reason: 'compute-sanitizer is not on this machine' };
  const folder = folderOf(given);
  const end = performance.now() + seconds * 1000;
  const runs = {};
  let status = 'passed';
  for (const name of binariesIn(folder)) {
    const listed = await runLimited(join(folder, name), ['-ltc', `-tc=${SANITIZED}`], { seconds: 20 });
    if (!listed.output.includes('sanitizer:')) continue;
    for (const check of ['memcheck', 'racecheck']) {
      const left = (end - performance.now()) / 1000;
      const args = ['--tool', check, '--error-exitcode', '99', join(folder, name), `-tc=${SANITIZED}`];
      const result =
        left < 5
          ? { timedOut: true, output: '' }
          : // Without LibTorch's cache of memory every tensor has bounds of its own.
            await runLimited(tool, args, { seconds: left, env: { PYTORCH_NO_CUDA_MEMORY_CACHING: '1' } });
      const told = outcome(result);
      const summary = result.output.match(/(ERROR|RACECHECK) SUMMARY: .*/)?.[0];
      runs[`${name} ${check}`] = { ...told, summary };
      if (told.status !== 'passed') {
        status = told.status;
        console.log(result.output.slice(-4000));
      }
      console.log(`${name} ${check}: ${summary ?? told.reason ?? told.status}`);
    }
  }
  if (Object.keys(runs).length === 0) return { status: 'failed', reason: `no test is named ${SANITIZED}` };
  return { status, runs };
}

const folderOf = ({ root, variant }) => join(root, 'build', 'cmake', variant);

function binariesIn(folder) {
  if (!existsSync(folder)) throw new Error(`there is no ${folder}: the build comes first`);
  const found = readdirSync(folder).filter((name) => /^test_\w+$/.test(name));
  if (found.length === 0) throw new Error(`no native test binary in ${folder}`);
  return found.sort();
}

async function doctest(binary, args, seconds) {
  if (!existsSync(binary)) throw new Error(`there is no ${binary}: the build comes first`);
  const env = { OMP_NUM_THREADS: String(Math.min(8, availableParallelism())) };
  const result = await runLimited(binary, args, { seconds, env });
  const counts = result.output.match(/test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed/);
  const told = outcome(result);
  if (told.status !== 'passed') console.log(result.output.slice(-4000));
  return { ...told, passed: Number(counts?.[1] ?? 0), failed: Number(counts?.[2] ?? 0) };
}

/** { status, reason } of a process. */
function outcome({ code, signal, timedOut, error, output }) {
  if (timedOut) return { status: 'timed out' };
  if (code === 0) return { status: 'passed' };
  const last = output.trim().split('\n').at(-1)?.slice(0, 300);
  return { status: 'failed', reason: error ?? `${signal ?? `exit code ${code}`}${last ? `: ${last}` : ''}` };
}
