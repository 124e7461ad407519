// From rounds to numbers, verdicts, a table and a picture. A planted slow result must fail.
import test from 'ava';
import { PRETRAINED } from '../../lib/index.js';
import { judge } from '../../scripts/bench/bars.mjs';
import { chart } from '../../scripts/bench/chart.mjs';
import { decoderOperations, encoderBytes, encoderOperations } from '../../scripts/bench/operations.mjs';
import { lineOf, rowOf } from '../../scripts/bench/rows.mjs';
import { median, ratio } from '../../scripts/bench/statistics.mjs';
import { markdown } from '../../scripts/bench/table.mjs';

const timed = (name, rounds, more = {}) => ({
  name,
  about: { version: '1' },
  rounds,
  repeats: rounds.length,
  ...more,
});
const about = { name: 'base batch 8', size: 'base', batch: 8, unit: 'tiles', units: 8, threads: 2 };

/** A section of one embedding row in which ours takes `seconds` and the rivals 1 s. */
function embedding(seconds, gemmShare = 0.9) {
  const ours = [seconds, seconds * 1.1, seconds];
  const row = rowOf(about, [
    timed('stainfold', ours),
    { ...timed('fp32 GEMM', [1, 1, 1]), about: { operations: 1e9 }, ceiling: 1e9 * gemmShare * seconds },
    timed('PyTorch eager channels_last', [1, 1, 1]),
    timed('ONNX Runtime', [1, 1, 1]),
    { name: 'torch.compile', unavailable: 'there is no compiler' },
  ]);
  return { embed: { rows: [row] } };
}

test('medians', (t) => {
  t.is(median([3, 1, 2]), 2);
  t.is(median([4, 1, 2, 3]), 2.5);
  t.throws(() => median([]), { instanceOf: RangeError });
});

test('ratios pair the rounds: a disturbance of both cancels', (t) => {
  const found = ratio([1, 10, 1], [2, 20, 3]);
  t.deepEqual(found, { median: 2, low: 2, high: 3, best: 2 });
  t.throws(() => ratio([1], [1, 2]), { instanceOf: RangeError });
});

test('a row: our figure, the ratios, the share of the ceiling', (t) => {
  const [row] = embedding(0.5).embed.rows;
  t.is(row.ours.perSecond, 16);
  t.deepEqual(row.rivals[0].ratio, { median: 2, low: 1 / 0.55, high: 2, best: 2 });
  t.is(row.rivals[2].unavailable, 'there is no compiler');
  t.is(row.ceiling.contestant, 'fp32 GEMM');
  t.true(Math.abs(row.ceiling.share.median - 0.9) < 1e-12);
  t.regex(
    lineOf('embed', row),
    /^embed base batch 8: 16\.0 tiles\/s, 90 % of fp32 GEMM; .* 2\.00, .*torch\.compile \(there is/,
  );
  t.throws(() => rowOf(about, [{ name: 'stainfold', unavailable: 'no LibTorch' }]), {
    message: /no LibTorch/,
  });
});

const verdicts = (sections, device) =>
  Object.fromEntries(judge(sections, device).map((bar) => [bar.what, bar]));

test('a fast result meets its bars', (t) => {
  const bars = Object.values(verdicts(embedding(0.5)));
  t.is(bars.length, 3);
  for (const { verdict, far } of bars) t.deepEqual([verdict, far], ['met', false]);
});

test('planted: a result that is a little slow misses its bar, a slow one is far below it', (t) => {
  const little = verdicts(embedding(1.2));
  t.is(little['times as fast as the best rival'].verdict, 'missed');
  t.false(little['times as fast as the best rival'].far);
  const slow = verdicts(embedding(2.5, 0.3));
  for (const what of Object.keys(slow)) t.true(slow[what].far, what);
});

test('planted: one slow round is not far below', (t) => {
  const row = rowOf(about, [timed('stainfold', [9, 9, 1]), timed('ONNX Runtime', [1, 1, 1])]);
  const { verdict, far } = verdicts({ embed: { rows: [row] } })['times as fast as the best rival'];
  t.deepEqual([verdict, far], ['missed', false]);
});

test('a bar that no rival could be had for is not met', (t) => {
  const row = rowOf(about, [timed('stainfold', [1]), { name: 'ONNX Runtime', unavailable: 'no network' }]);
  const { verdict, far } = verdicts({ embed: { rows: [row] } })['times as fast as the best rival'];
  t.deepEqual([verdict, far], ['unmeasured', false]);
});

test('bars that are upper limits: memory, cost, overhead', (t) => {
  const loss = (ours) => {
    const row = rowOf({ name: 'M = 8192', unit: 'rows', units: 8192, threads: 1 }, [
      timed('stainfold', [1]),
      timed('PyTorch eager', [3]),
    ]);
    row.peakBytes = { stainfold: ours, 'PyTorch eager': 1e9 };
    return verdicts({ loss: { rows: [row] } })["share of PyTorch eager's peak memory"];
  };
  t.is(loss(5e7).verdict, 'met');
  t.is(loss(1.5e8).verdict, 'missed');
  t.false(loss(1.5e8).far);
  t.true(loss(5e8).far);
  t.is(loss(null).verdict, 'unmeasured');

  const points = { name: 'from 1,000 to 100,000 tiles', points: [], costGrowth: 0.05, residentGrowth: 0.3 };
  const found = verdicts({ pipeline: { rows: [points] } });
  t.is(found['more cost of a tile in a longer stream'].verdict, 'met');
  t.true(found['more resident memory'].far);

  const overhead = rowOf({ ...about, name: 'interface' }, [
    timed('encoder.embed()', [1.02]),
    timed('the core alone', [1]),
  ]);
  t.is(verdicts({ pipeline: { rows: [overhead] } })['more than the core alone'].verdict, 'met');
});

test('a GPU has bars of its own', (t) => {
  const found = verdicts(embedding(0.001), 'cuda');
  t.true('times as fast as torch.compile max-autotune' in found);
  t.is(found['times as fast as torch.compile max-autotune'].verdict, 'unmeasured');
  t.false('tiles/s from device memory' in found);

  const resident = embedding(0.5);
  resident.embed.rows[0].resident = 8;
  t.like(verdicts(resident, 'cuda')['tiles/s from device memory'], { value: 16, verdict: 'missed' });
  const one = { ...about, batch: 1, units: 1 };
  const ours = timed('encoder.embed()', [0.001, 0.001]);
  const row = rowOf(one, [ours, timed('the core alone', [0.0009, 0.0009])]);
  t.like(verdicts({ pipeline: { rows: [row] } }, 'cuda')['ms for one tile'], { value: 1, verdict: 'met' });
});

const conditions = {
  machine: { cpu: 'A processor', cores: 2, instructions: 'AVX2', gpu: [] },
  threads: 2,
  versions: { libtorch: '2.13.0', torch: '2.13.0', onnxruntime: '1.30.0' },
  measured: '2026-01-02T03:04',
};

test('the table: bars, ratios with their spread, who is missing and why', (t) => {
  const sections = { embed: { ...conditions, ...embedding(2.5).embed } };
  const text = markdown({ device: 'cpu', sections });
  t.regex(
    text,
    /^\| embed: base batch 8 \| times as fast as the best rival \| ≥ 1 \| 0\.4 \| \*\*missed\*\* \|$/m,
  );
  t.regex(
    text,
    /^\| base batch 8 \| 0\.4 \(0\.36–0\.4\) \| 0\.4 \(0\.36–0\.4\) \| – \| 3\.20 tiles\/s \| 90 % \|$/m,
  );
  t.regex(
    text,
    /^\| embed: base batch 8 \| [^|]* \| [^|]* \| fp32 GEMM, 1 G\/s \| 2,250 ms \| 2,500 ms \| 1\.11 \|$/m,
  );
  t.regex(text, /^torch\.compile is missing: there is no compiler\.$/m);
  t.regex(
    text,
    /^A processor, 2 cores, AVX2; 2 threads; LibTorch 2\.13\.0; PyTorch 2\.13\.0, ONNX Runtime 1\.30\.0; 2026-01-02\.$/m,
  );
  for (const line of text.split('\n')) t.notRegex(line, /undefined|NaN|\[object/);
});

test('the picture: every case and rival that was timed', async (t) => {
  const svg = await chart({ sections: embedding(0.5) });
  for (const name of ['embed: base batch 8', 'ONNX Runtime', 'PyTorch eager channels_last'])
    t.true(svg.includes(name), name);
  t.false(svg.includes('torch.compile'));
  const row = rowOf(about, [timed('stainfold', [1]), { name: 'ONNX Runtime', unavailable: 'no network' }]);
  t.is(await chart({ sections: { embed: { rows: [row] } } }), undefined);
});

test('operations: those of a network written out by hand', (t) => {
  // phantom-tiny, 64 px: the widths and blocks of native/src/models/architecture.cpp.
  const conv = (into, out, kernel, extent) => into * out * kernel ** 2 * extent ** 2;
  let products = conv(3, 16, 3, 32);
  let into = 16;
  for (const [s, [width, blocks]] of [
    [32, 1],
    [64, 1],
    [112, 2],
    [192, 1],
  ].entries()) {
    const extent = 64 >> (s + 2);
    products += conv(into, width, 3, extent) + conv(width, width, 3, extent) + conv(into, width, 1, extent);
    products += (blocks - 1) * 2 * conv(width, width, 3, extent);
    into = width;
  }
  products += conv(192, 16, 1, 2) + (192 + 16 * 16) * 128;
  const model = PRETRAINED['phantom-tiny'];
  t.is(encoderOperations(model, 64), 2 * products);
  let drawn = 128 * 96 * 16;
  for (const [i, [from, to]] of [
    [96, 64],
    [64, 48],
    [48, 32],
    [32, 16],
  ].entries())
    drawn += conv(from, to, 3, 4 << i);
  drawn += conv(16, 12, 3, 32);
  t.is(decoderOperations(model, 64), 2 * drawn);
  // 1.1 M parameters, of which norms that fold away leave a little less.
  t.true(encoderBytes(model) > 4.2e6 && encoderBytes(model) < 4.5e6);
});
