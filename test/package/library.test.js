// Invariant: C++ programs find stainfold with find_package, PyTorch loads its operators, and both examples say what the addon would.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { minorOf } from '../../lib/libtorch/layout.js';
import { resolveLibTorch } from '../../lib/libtorch/resolve.js';
import { temporaryFolder } from '../temporary.js';
import { run } from './consumer.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUILD = join(ROOT, 'build/cmake/cpu');

function whyNot() {
  if (process.platform !== 'linux') return `tried on Linux only; this is ${process.platform}`;
  const cache = join(BUILD, 'CMakeCache.txt');
  if (!existsSync(cache) || !readFileSync(cache, 'utf8').includes('STAINFOLD_INSTALL:BOOL=ON'))
    return "the library is not built: 'npm run build:native -- --tests'";
  if (spawnSync('cmake', ['--version']).status !== 0) return 'CMake is not on PATH';
  return undefined;
}

/** A Python whose torch is of the LibTorch's minor version, or why there is none. */
function torchOfPython(libtorch) {
  // A torch that is unpacked beside its LibTorch is importable from the folder around it.
  const PYTHONPATH = [dirname(libtorch.root), process.env.PYTHONPATH].filter(Boolean).join(':');
  const env = { ...process.env, PYTHONPATH };
  const { status, stdout } = spawnSync('python3', ['-c', 'import torch; print(torch.__version__)'], {
    encoding: 'utf8',
    env,
  });
  if (status !== 0) return { why: 'python3 has no torch' };
  if (minorOf(stdout.trim()) !== minorOf(libtorch.version))
    return { why: `python3's torch is ${stdout.trim()}` };
  return { env };
}

const reason = whyNot();
if (reason) console.log(`skipped: ${reason}`);
const libtorch = reason ? undefined : resolveLibTorch({ variant: 'cpu' });
const python = reason ? { why: reason } : torchOfPython(libtorch);
if (!reason && python.why) console.log(`skipped: the Python example: ${python.why}`);
const here = reason ? test.skip : test.serial;

const prefix = temporaryFolder('prefix');
const must = async (t, program, ...args) => {
  const said = await run(program, args, { cwd: ROOT, env: process.env });
  t.is(said.code, 0, `${said.stdout}\n${said.stderr}`);
  return said.stdout;
};

here('installed: archive, headers, CMake package, operators', async (t) => {
  await must(t, 'cmake', '--install', BUILD, '--prefix', prefix);
  for (const path of [
    'include/stainfold/trainer.h',
    'lib/libstainfold_core.a',
    'lib/libstainfold_ops.so',
    'lib/cmake/stainfold/stainfold-config.cmake',
  ])
    t.true(existsSync(join(prefix, path)), path);
});

const configure = (root) => {
  const build = temporaryFolder('example');
  const given = [`-DCMAKE_PREFIX_PATH=${prefix}`, `-DSTAINFOLD_LIBTORCH=${root}`, '-DCMAKE_BUILD_TYPE=Debug'];
  return { build, args: ['-S', 'examples/cpp', '-B', build, ...given] };
};

here('a C++ program finds it, trains and embeds', async (t) => {
  const { build, args } = configure(libtorch.root);
  await must(t, 'cmake', ...args);
  await must(t, 'cmake', '--build', build);
  const said = await must(t, join(build, 'train_and_embed'));
  t.regex(said, /^step 8 {2}loss \d+\.\d+ {2}compaction ratio 0\.\d+$/m);
  const [, similarity] = said.match(/^16 x 128; .* cosine similarity (\d\.\d+)$/m) ?? [];
  t.true(similarity > 0.3 && similarity < 1, said);
});

here('without a LibTorch, or with none there, CMake says what to give', async (t) => {
  const { args } = configure('/nowhere');
  const said = await run('cmake', args, { cwd: ROOT, env: process.env });
  t.not(said.code, 0);
  t.regex(
    said.stderr.replace(/\s+/g, ' '),
    /holds no include\/ATen\/ATen\.h: give the folder that 'npx stainfold libtorch path' prints/,
  );
});

(python.why ? test.skip : test.serial)(
  'PyTorch: the operator is the formula, in value and gradient',
  async (t) => {
    const args = ['examples/python/compaction.py', join(prefix, 'lib/libstainfold_ops.so')];
    const said = await run('python3', args, { cwd: ROOT, env: python.env });
    t.is(said.code, 0, said.stderr);
    const [, ours, formula] = said.stdout.match(/loss (\S+), by the formula (\S+)/) ?? [];
    t.true(Number(ours) > 0);
    t.is(ours, formula);
  },
);
