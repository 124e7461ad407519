// What a GPU machine has: its devices and the tools that the stages need.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findNvcc } from '../build-native.mjs';
import { which } from '../command.mjs';

/** Name, driver, memory and compute capability of every GPU, as nvidia-smi has them; empty where there is none. */
export function gpus() {
  const fields = ['name', 'driver_version', 'memory.total', 'compute_cap'];
  const result = spawnSync('nvidia-smi', [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader'], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  if (result.error || result.status !== 0) return [];
  return devicesIn(result.stdout);
}

/** Of what nvidia-smi printed: a line a device, its fields parted by commas. */
export function devicesIn(text) {
  return text
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [name, driver, memory, capability] = line.split(',').map((field) => field.trim());
      return { name, driver, memory, capability };
    });
}

/** { tool: path or version; undefined where it is missing } */
export function toolsOf() {
  const python = process.env.STAINFOLD_BENCH_PYTHON ?? which('python3') ?? undefined;
  return {
    nvcc: findNvcc() ?? undefined,
    cmake: which('cmake') ?? undefined,
    ninja: which('ninja') ?? undefined,
    compiler: ['c++', 'g++', 'clang++'].map((name) => which(name)).find(Boolean),
    python,
    torch: python && torchOf(python),
    sanitizer: findSanitizer(),
  };
}

function torchOf(python) {
  const result = spawnSync(python, ['-c', 'import torch; print(torch.__version__)'], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

/** compute-sanitizer comes with the toolkit, not always onto PATH. */
function findSanitizer() {
  const homes = [process.env.CUDA_HOME, process.env.CUDA_PATH, '/usr/local/cuda'].filter(Boolean);
  const places = homes.flatMap((home) => [
    join(home, 'bin', 'compute-sanitizer'),
    join(home, 'compute-sanitizer', 'compute-sanitizer'),
  ]);
  return which('compute-sanitizer') ?? places.find((path) => existsSync(path));
}
