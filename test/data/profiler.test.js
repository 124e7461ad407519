// Invariant: shares are of the wall time, the stage that the others wait for is named, and the trace holds every interval once.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { StageProfiler } from '../../lib/data/profiler.js';
import { temporaryFolder } from './tiles.js';

/** A profiler that has seen `seconds` go by, from then to now, with intervals placed as shares of them. */
function profiled(intervals, workers = 1, seconds = 100) {
  const profiler = new StageProfiler();
  profiler.workers = workers;
  const end = performance.now();
  const begin = end - 1000 * seconds;
  for (const [stage, from, to] of intervals)
    profiler.add(stage, begin + 1000 * seconds * from, begin + 1000 * seconds * to);
  return profiler;
}
const shareOf = ({ stages }, name) => stages.find(({ stage }) => stage === name);
const close = (t, value, expected) => t.true(Math.abs(value - expected) < 0.002, `${value}, not ${expected}`);

test('what overlaps counts once in the share, and each in the sum', (t) => {
  const report = profiled([
    ['decode', 0, 0.5],
    ['decode', 0.25, 0.5],
    ['decode', 0.1, 0.2],
    ['decode', 0.75, 1],
    ['forward', 0.4, 0.6],
  ]).report();
  close(t, shareOf(report, 'decode').share, 0.75);
  close(t, shareOf(report, 'decode').seconds / 100, 1.1);
  t.is(shareOf(report, 'decode').count, 4);
  close(t, shareOf(report, 'forward').share, 0.2);
  close(t, report.wallSeconds / 100, 1);
  t.deepEqual(
    report.stages.map(({ stage }) => stage),
    ['decode', 'forward'],
  );
});

test('the order in which intervals are told does not matter', (t) => {
  const late = [
    ['forward', 0.5, 0.6],
    ['forward', 0, 0.55],
  ];
  close(t, shareOf(profiled(late).report(), 'forward').share, 0.6);
});

const CASES = {
  'the encoder is busy all the time': [
    [
      ['forward', 0, 0.95],
      ['decode', 0, 0.4],
    ],
    2,
    'forward',
    /^forward is the bottleneck: 95 % of the wall time, while decoding uses 20 % of its workers; a faster device/,
  ],
  'a training step in parts': [
    [
      ['render', 0, 0.3],
      ['forward', 0.3, 0.5],
      ['backward', 0.5, 0.98],
    ],
    2,
    'backward',
    /^backward is the bottleneck: 48 %/,
  ],
  'the decoders are': [
    [
      ['decode', 0, 0.9],
      ['decode', 0, 0.9],
      ['read', 0.9, 1],
      ['forward', 0, 0.5],
    ],
    2,
    'decode',
    /^decode is the bottleneck: its 2 workers are busy 95 % of the time, .* 50 %; .*'stainfold pack'/,
  ],
  'the disk is': [[['read', 0, 0.9]], 1, 'read', /^read is the bottleneck: .* a faster disk helps/],
  'writing is': [[['write', 0, 0.9]], 1, 'write', /^write is the bottleneck/],
  'one decoder of four is': [
    [['decode', 0, 1]],
    4,
    null,
    /^No stage is saturated \(25 % .*decode most of all/,
  ],
  'nobody was seen': [[], 1, null, /^No stage is saturated/],
};
for (const [what, [intervals, workers, bottleneck, summary]] of Object.entries(CASES)) {
  test(`bottleneck: ${what}`, (t) => {
    const report = profiled(intervals, workers).report();
    t.is(report.bottleneck, bottleneck);
    t.regex(report.summary, summary);
  });
}

test('stamps of process.hrtime() and intervals of performance.now() are on one clock', (t) => {
  const profiler = new StageProfiler();
  const at = performance.now();
  const stamp = Number(process.hrtime.bigint()) / 1e6;
  t.true(Math.abs(profiler.fromStamp(stamp) - at) < 1);
  profiler.addStamps(['copy', 'forward'], Float64Array.of(stamp, stamp + 1, stamp + 5));
  const { stages } = profiler.report();
  t.deepEqual(
    stages.map(({ stage, seconds }) => [stage, Math.round(1000 * seconds)]),
    [
      ['copy', 1],
      ['forward', 4],
    ],
  );
});

test('work that fails is counted, and its error passes', async (t) => {
  const profiler = new StageProfiler();
  const error = new Error('no');
  t.is(await t.throwsAsync(profiler.time('write', () => Promise.reject(error))), error);
  t.is(await profiler.time('write', async () => 3), 3);
  t.is(profiler.report().stages[0].count, 2);
});

test('the trace: every interval once, no two of a track overlap', async (t) => {
  const path = join(await temporaryFolder(t), 'trace.json');
  const intervals = Array.from({ length: 40 }, (_, i) => ['decode', i / 50, (i + 1 + (i % 3)) / 50]);
  await profiled([...intervals, ['forward', 0, 1]], 2).save(path);
  const { traceEvents } = JSON.parse(await readFile(path, 'utf8'));
  const spans = traceEvents.filter(({ ph }) => ph === 'X');
  t.is(spans.length, 41);
  const ends = new Map();
  for (const { tid, ts, dur } of spans.toSorted((a, b) => a.ts - b.ts)) {
    t.true(ts >= (ends.get(tid) ?? 0) - 1);
    ends.set(tid, ts + dur);
  }
  t.true(ends.size >= 3);
  for (const tid of ends.keys())
    t.true(traceEvents.some((event) => event.name === 'thread_name' && event.tid === tid));
});
