import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { violations } from './layers.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

function* sources(folder) {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !/\.(h|cpp|cu|cuh|ts)$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    yield [relative(root, path), readFileSync(path, 'utf8')];
  }
}

test('the sources keep the layers', (t) => {
  const files = [...sources('native'), ...sources('ts')];
  t.true(files.length > 40, 'the sources were found');
  t.deepEqual(violations(files), []);
});

// One planted violation a rule: a rule that cannot fire protects nothing.
const planted = [
  ['native-layers', 'native/src/core/x.cpp', '#include "ops/compaction.h"'],
  ['native-layers', 'native/src/ops/x.cpp', '#include "stainfold/trainer.h"'],
  ['native-layers', 'native/src/metrics/x.cpp', '#include "napi/job.h"'],
  ['native-layers', 'native/src/preload/x.cpp', '#include "core/checks.h"'],
  ['native-unknown-room', 'native/src/helpers/x.cpp', ''],
  ['include-only-std', 'native/include/stainfold/error.h', '#include <torch/torch.h>'],
  ['ops-siblings', 'native/src/ops/cpu/x.cpp', '#include "ops/cuda/compaction.h"'],
  ['napi-outside', 'native/src/train/x.cpp', '#include <napi.h>'],
  ['cuda-outside', 'native/src/stain/x.cpp', '#include <cuda_runtime.h>'],
  ['cuda-outside', 'native/src/models/x.cpp', '#include <c10/cuda/CUDAStream.h>'],
  ['torch-in-cu', 'native/src/ops/cuda/x.cu', '#include <ATen/ATen.h>'],
  ['torch-in-simd', 'native/src/stain/simd/x.cpp', '#include <ATen/core/Tensor.h>'],
  ['native-exit', 'native/src/core/x.cpp', 'void f() { std::exit(1); }'],
  ['native-exit', 'native/src/core/x.cpp', 'void f() { abort(); }'],
  ['native-exit', 'native/src/napi/x.cpp', 'void f() { std::_Exit(1); }'],
  ['native-assert', 'native/src/core/x.cpp', 'void f(int n) { assert(n > 0); }'],
  ['ts-layers', 'ts/errors.ts', "import { x } from './types.js';"],
  ['ts-layers', 'ts/cli/x.ts', "import { x } from '../api/train.js';"],
  ['ts-layers', 'ts/data/x.ts', "import { x } from '../internal/load.js';"],
  ['ts-layers', 'ts/internal/x.ts', "const x = await import('../api/train.js');"],
  ['ts-unknown-room', 'ts/utils/x.ts', ''],
  ['node-path', 'ts/api/x.ts', "require('../build/stainfold.node');"],
  ['process-exit', 'ts/api/x.ts', 'process.exit(1);'],
  ['sharp-outside', 'ts/data/x.ts', "import sharp, { type Sharp } from 'sharp';"],
];
for (const [index, [rule, path, source]] of planted.entries()) {
  test(`planted violation ${index + 1}: ${rule} in ${path}`, (t) => {
    t.deepEqual(
      violations([[path, source]]).map((v) => v.rule),
      [rule],
    );
  });
}

test('what is allowed is not reported', (t) => {
  const allowed = [
    [
      'native/src/train/x.cpp',
      '#include "stainfold/trainer.h"\n#include "models/encoder.h"\n#include <vector>',
    ],
    [
      'native/src/core/x.cpp',
      '// exit(1) and assert(x) in a comment\nstd::string s = "exit(1)"; static_assert(true); object.exit();',
    ],
    ['native/src/ops/cuda/x.cu', '#include <cuda_runtime.h>\n#include "ops/compaction_math.h"'],
    ['ts/cli/x.ts', "import { train } from '../index.js';\nprocess.exit(1);"],
    ['ts/api/x.ts', "// see stainfold.node\nimport { x } from '../data/loader.js';"],
  ];
  t.deepEqual(violations(allowed), []);
});
