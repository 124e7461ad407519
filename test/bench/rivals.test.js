// Rivals are checked before they are timed: ONNX Runtime on our own export. Needs Python and what pip can install; skips where not.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { exportOnnx, loadEncoder, PRETRAINED } from '../../lib/index.js';
import { loadNative } from '../../lib/internal/load.js';
import { cacheFolder } from '../../lib/libtorch/host.js';
import { Contestant } from '../../scripts/bench/contestant.mjs';
import { writeNpy } from '../../scripts/bench/npy.mjs';
import { rivals, SERVE } from '../../scripts/bench/rivals.mjs';
import { contest } from '../../scripts/bench/rounds.mjs';
import { temporaryFolder } from '../temporary.js';

const folder = temporaryFolder('rivals');
const native = await loadNative();
const found = rivals({
  cache: cacheFolder(),
  torch: native.status().libtorch,
  groups: ['numpy', 'onnxruntime'],
  limit: 120,
});
const missing = found.reason ?? Object.values(found.missing)[0];
const check = missing === undefined ? test.serial : test.serial.skip;
if (missing !== undefined) console.log(`skipped: no ONNX Runtime in Python: ${missing}`);

const SIDE = 64;
const COUNT = 3;

async function setUp(t) {
  const onnx = join(folder, 'encoder.onnx');
  await exportOnnx({ model: 'phantom-tiny', out: onnx });
  const data = await native.phantom.render({ tissue: 5, size: SIDE, mpp: 0.5, seed: 1, labs: [0, 1, 2] });
  const tiles = join(folder, 'tiles.raw');
  writeFileSync(tiles, data);
  const encoder = await loadEncoder('phantom-tiny', { device: 'cpu', precision: 'fp32', threads: 1 });
  const bytes = SIDE * SIDE * 3;
  const z = await encoder.embed(
    Array.from({ length: COUNT }, (_, i) => ({
      data: data.subarray(i * bytes, (i + 1) * bytes),
      width: SIDE,
      height: SIDE,
      channels: 3,
    })),
  );
  await encoder.dispose();
  const reference = join(folder, 'reference.npy');
  writeNpy(reference, z.data, z.shape);
  const contestant = new Contestant([found.python, SERVE]);
  t.teardown(() => contestant.kill());
  return {
    z,
    reference,
    contestant,
    given: {
      onnx,
      weights: PRETRAINED['phantom-tiny'],
      tiles,
      tileSize: SIDE,
      batch: COUNT,
      threads: 1,
      reference,
    },
  };
}

check('ONNX Runtime gives our embeddings, to 1e-4 of the largest value', async (t) => {
  const { contestant, given } = await setUp(t);
  const [result] = await contest(
    [{ name: 'ONNX Runtime', contestant, task: 'embed', case: { ...given, rival: 'onnxruntime' } }],
    { rounds: 1, seconds: 0 },
  );
  t.is(result.unavailable, undefined);
  t.true(result.about.difference < 1e-4, String(result.about.difference));
  t.is(result.rounds.length, 1);
});

check('planted: an embedding that is off by a thousandth is not timed', async (t) => {
  const { z, reference, contestant, given } = await setUp(t);
  const spoiled = Float32Array.from(z.data);
  const largest = spoiled.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  spoiled[7] += 1e-3 * largest;
  writeNpy(reference, spoiled, z.shape);
  const [result] = await contest(
    [{ name: 'ONNX Runtime', contestant, task: 'embed', case: { ...given, rival: 'onnxruntime' } }],
    { rounds: 1, seconds: 0 },
  );
  t.regex(result.unavailable, /^not equal: 1\.0e-3 apart/);
});

check('a rival that is not there says so', async (t) => {
  const { contestant, given } = await setUp(t);
  const [result] = await contest(
    [
      {
        name: 'x',
        contestant,
        task: 'embed',
        case: { ...given, onnx: join(folder, 'none.onnx'), rival: 'onnxruntime' },
      },
    ],
    { rounds: 1, seconds: 0 },
  );
  t.regex(result.unavailable, /none\.onnx/);
});

test('.npy as NumPy writes it', (t) => {
  const path = join(folder, 'a.npy');
  writeNpy(path, Float32Array.of(1, 2, 3), [3]);
  const bytes = readFileSync(path);
  t.is(bytes.length % 64, 12);
  t.regex(
    bytes.subarray(10).toString('latin1'),
    /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(3,\), \} *\n/,
  );
  t.throws(() => writeNpy(path, Float32Array.of(1), [2]), { instanceOf: TypeError });
});
