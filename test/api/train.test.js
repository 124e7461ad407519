import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { trainWith } from '../../lib/api/train.js';
import { readSafetensors } from '../../lib/data/safetensors.js';
import { inspect } from '../../lib/index.js';
import { trainSchema, validate } from '../../lib/internal/validate.js';
import { temporaryFolder, writeTiles } from '../data/tiles.js';
import { fakeNative } from './fake-native.js';

const COUNT = 11;

async function setUp(t) {
  const folder = await temporaryFolder(t);
  const tiles = join(folder, 'tiles.csv');
  await writeTiles(folder, COUNT);
  const rows = Array.from(
    { length: COUNT },
    (_, i) => `tile${i}.png,${i % 2 ? 'A' : 'B'},${i < 2 ? '' : `s${i % 3}`}`,
  );
  await writeFile(tiles, `file,lab,slide\n${rows.join('\n')}\n`);
  const base = { tiles, out: join(folder, 'run'), batchSize: 2, epochs: 3, cacheBytes: 0 };
  const run = (options = {}, script = {}) => {
    const native = fakeNative(script);
    const done = trainWith(async () => native, validate(trainSchema, { ...base, ...options }));
    return Object.assign(done, { native });
  };
  return { folder, base, run };
}

const bytes = (out) =>
  Promise.all(['model', 'checkpoint'].map((name) => readFile(join(out, `${name}.safetensors`))));
const metrics = async (out) =>
  (await readFile(join(out, 'metrics.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => ({ ...JSON.parse(line), tilesPerSecond: 0 }));

test('a collapse stops the run, and the checkpoint is from before it', async (t) => {
  const { base, run } = await setUp(t);
  const collapsing = { rank: (step) => (step >= 7 ? 1.05 : 3) };
  const many = { epochs: 10, checkpointEvery: 2 };
  await t.throwsAsync(run(many, collapsing), { code: 'STAINFOLD_COLLAPSE', message: /up to step 26/ });
  const { info } = await inspect(join(base.out, 'checkpoint.safetensors'));
  t.is(info.provenance.steps, 6);
  t.false(existsSync(join(base.out, 'model.safetensors')));
});

test('a dip of the rank is no collapse', async (t) => {
  const { run } = await setUp(t);
  const { steps } = await run({ epochs: 10 }, { rank: (step) => (step % 20 === 0 ? 3 : 1.01) });
  t.is(steps, 50);
});

test('a run: files, result, progress, metadata', async (t) => {
  const { base, run } = await setUp(t);
  const seen = [];
  const result = await run({ onProgress: (progress) => seen.push(progress) });
  t.is(result.steps, 15);
  t.is(result.tiles, COUNT);
  t.deepEqual(result.unreadable, []);
  t.deepEqual(
    seen.map(({ step }) => step),
    Array.from({ length: 15 }, (_, i) => i + 1),
  );
  t.deepEqual(
    seen.map(({ epoch }) => epoch),
    [1, 2, 3].flatMap((epoch) => Array(5).fill(epoch)),
  );
  t.deepEqual({ ...result.last, tilesPerSecond: 0 }, { ...seen.at(-1), tilesPerSecond: 0 });
  t.true(seen.every(({ tilesPerSecond }) => tilesPerSecond > 0));
  t.deepEqual(
    await metrics(base.out),
    seen.map((progress) => ({ ...progress, tilesPerSecond: 0 })),
  );

  const model = await inspect(result.model);
  t.is(model.info.kind, 'model');
  t.deepEqual(
    model.tensors.map(({ name }) => name),
    ['encoder.weight', 'decoder.weight'],
  );
  const checkpoint = await inspect(result.checkpoint);
  t.is(checkpoint.info.kind, 'checkpoint');
  t.is(checkpoint.info.provenance.steps, 15);
  t.is(checkpoint.info.parameters, 4);
  t.is(checkpoint.info.options.batchSize, 2);
  t.is(checkpoint.info.tileSize, 32);
  t.false(JSON.stringify(checkpoint.info).includes(base.out), 'no path leaves the machine');
  const whole = await readSafetensors(result.checkpoint);
  const served = await readSafetensors(result.model);
  t.deepEqual(served.data, whole.data.subarray(0, served.data.length));
  t.false(existsSync(join(base.out, '.stainfold-lock')));
});

test('same seed, same bytes, wherever it runs and however the manifest is ordered', async (t) => {
  const { folder, base, run } = await setUp(t);
  await run();
  const first = await bytes(base.out);
  await run({ out: join(folder, 'again') });
  t.deepEqual(await bytes(join(folder, 'again')), first);
  const [header, ...rows] = (await readFile(base.tiles, 'utf8')).trimEnd().split('\n');
  await writeFile(base.tiles, [header, ...rows.reverse()].join('\n'));
  await run({ out: join(folder, 'reversed') });
  t.deepEqual(await bytes(join(folder, 'reversed')), first);
  await run({ out: join(folder, 'other'), seed: 2 });
  t.notDeepEqual(await bytes(join(folder, 'other')), first);
});

for (const stopAt of [1, 4, 5, 8, 14]) {
  test(`aborted at step ${stopAt}, resumed: as if it had never stopped`, async (t) => {
    const { folder, base, run } = await setUp(t);
    await run({ out: join(folder, 'whole') });
    const controller = new AbortController();
    const reason = new Error('stop');
    const onProgress = ({ step }) => step === stopAt && controller.abort(reason);
    t.is(await t.throwsAsync(run({ signal: controller.signal, onProgress })), reason);
    const stopped = await inspect(join(base.out, 'checkpoint.safetensors'));
    // One more step may have been in flight.
    t.true(stopped.info.provenance.steps >= stopAt && stopped.info.provenance.steps <= stopAt + 2);
    t.false(existsSync(join(base.out, 'model.safetensors')));
    const result = await run({ resume: true });
    t.is(result.steps, 15);
    t.deepEqual(await bytes(base.out), await bytes(join(folder, 'whole')));
    t.deepEqual(await metrics(base.out), await metrics(join(folder, 'whole')));
  });
}

test('an abort before the start, and one after the end', async (t) => {
  const { base, run } = await setUp(t);
  const reason = new Error('early');
  t.is(await t.throwsAsync(run({ signal: AbortSignal.abort(reason) })), reason);
  t.false(existsSync(base.out));
  const controller = new AbortController();
  await run({ signal: controller.signal, onProgress: ({ step }) => step === 15 && controller.abort() });
  t.true(existsSync(join(base.out, 'model.safetensors')));
});

test('a failed step leaves the last checkpoint, which continues', async (t) => {
  const { folder, base, run } = await setUp(t);
  await run({ out: join(folder, 'whole') });
  const failing = run({ checkpointEvery: 4 }, { failAt: 10 });
  await t.throwsAsync(failing, { code: 'STAINFOLD_NON_FINITE' });
  t.deepEqual(failing.native.events.at(-1), ['dispose']);
  t.is((await inspect(join(base.out, 'checkpoint.safetensors'))).info.provenance.steps, 8);
  await run({ resume: true });
  t.deepEqual(await bytes(base.out), await bytes(join(folder, 'whole')));
  t.deepEqual(await metrics(base.out), await metrics(join(folder, 'whole')));
});

test('an error of onProgress rejects the run', async (t) => {
  const { run } = await setUp(t);
  const error = new Error('mine');
  const done = run({
    onProgress: () => {
      throw error;
    },
  });
  t.is(await t.throwsAsync(done), error);
});

test('a finished run may be resumed: nothing is done twice', async (t) => {
  const { base, run } = await setUp(t);
  const { last } = await run();
  const before = await bytes(base.out);
  const again = run({ resume: true });
  const result = await again;
  t.false(again.native.events.some(([event]) => event === 'step'));
  t.deepEqual({ ...result.last, tilesPerSecond: 0 }, { ...last, tilesPerSecond: 0 });
  t.deepEqual(await bytes(base.out), before);
});

test('an existing run is not overwritten; resume needs one', async (t) => {
  const { base, run } = await setUp(t);
  await t.throwsAsync(run({ resume: true }), {
    code: 'STAINFOLD_FILE_NOT_FOUND',
    message: /no run in .* to continue/,
  });
  await run();
  await t.throwsAsync(run(), { code: 'STAINFOLD_OUTPUT_EXISTS', message: new RegExp(base.out) });
});

test('what a killed process left of a write is swept away', async (t) => {
  const { base, run } = await setUp(t);
  await run();
  const leftover = join(base.out, 'checkpoint.safetensors.123.abcd.tmp');
  await writeFile(leftover, 'half');
  await run({ resume: true });
  t.false(existsSync(leftover));
});

test('resume of a run that was killed before its first checkpoint begins again', async (t) => {
  const { folder, base, run } = await setUp(t);
  await run({ out: join(folder, 'whole') });
  await t.throwsAsync(run({}, { failAt: 3 }), { code: 'STAINFOLD_NON_FINITE' });
  t.true(existsSync(join(base.out, 'metrics.jsonl')));
  await run({ resume: true });
  t.deepEqual(await bytes(base.out), await bytes(join(folder, 'whole')));
  t.is((await metrics(base.out)).length, 15);
});

test('resume with other options or tiles is refused, naming the difference', async (t) => {
  const { folder, base, run } = await setUp(t);
  await run({ epochs: 1 });
  const mismatch = (message) => ({ code: 'STAINFOLD_CHECKPOINT_MISMATCH', message });
  const again = (options, script) => run({ epochs: 1, resume: true, ...options }, script);
  await t.throwsAsync(again({ epochs: 2 }), mismatch(/epochs 1, this run has 2/));
  await t.throwsAsync(again({ weights: { scatter: 1 } }), mismatch(/weights/));
  await t.throwsAsync(again({ where: { lab: 'A' } }), mismatch(/where/));
  await t.throwsAsync(again({ labColumn: 'lab' }), mismatch(/labColumn null, this run has "lab"/));
  await t.throwsAsync(again({}, { device: 'cuda:0' }), mismatch(/device "cpu", this run has "cuda:0"/));
  await writeTiles(folder, 1, 64);
  await t.throwsAsync(again({ tileSize: 32 }), mismatch(/The tiles are not those.*11 tiles then, 11 now/));
  t.true(existsSync(base.out));
});

test('a model is no checkpoint, and a foreign file neither', async (t) => {
  const { base, run } = await setUp(t);
  const { model, checkpoint } = await run();
  await writeFile(checkpoint, await readFile(model));
  await t.throwsAsync(run({ resume: true }), { code: 'STAINFOLD_CHECKPOINT', message: /is a model/ });
  await writeFile(
    join(base.out, 'checkpoint.safetensors'),
    Buffer.concat([Buffer.from('0200000000000000', 'hex'), Buffer.from('{}')]),
  );
  await t.throwsAsync(run({ resume: true }), { code: 'STAINFOLD_CHECKPOINT', message: /no description/ });
});

test('labs and groups: indices in the order of names; a tile without a group is its own', async (t) => {
  const { run } = await setUp(t);
  const done = run({ labColumn: 'lab', groupColumn: 'slide', batchSize: COUNT, epochs: 1 });
  await done;
  const [, options] = done.native.events.find(([event]) => event === 'trainer');
  t.is(options.realLabs, 2);
  const [, , count, labs, groups] = done.native.events.find(([event]) => event === 'step');
  t.is(count, COUNT);
  t.is(labs.filter((lab) => lab === 0).length, 5); // tiles 1, 3, 5, 7, 9 are 'A'
  const sizes = [...new Set(groups)].map((group) => groups.filter((other) => other === group).length).sort();
  t.deepEqual(sizes, [1, 1, 3, 3, 3]); // tiles 0 and 1 have no slide; 2, 5, 8 share s2, and so on
});

test('columns that do not exist', async (t) => {
  const { folder, run } = await setUp(t);
  await t.throwsAsync(run({ labColumn: 'site' }), {
    code: 'STAINFOLD_OPTION',
    message: /labColumn.*lab, slide.*'site'/,
  });
  await t.throwsAsync(run({ tiles: folder, groupColumn: 'x' }), {
    code: 'STAINFOLD_OPTION',
    message: /groupColumn.*none in a folder/,
  });
});

test('one run a folder at a time', async (t) => {
  const { run } = await setUp(t);
  let second;
  await run(
    {
      onProgress: ({ step }) => {
        if (step === 1) second = t.throwsAsync(run(), { code: 'STAINFOLD_LOCKED' });
      },
    },
    { stepMs: 30 },
  );
  await second;
});

test('unreadable tiles: listed, remembered over a resume, fatal when strict', async (t) => {
  const { folder, run } = await setUp(t);
  await writeFile(join(folder, 'tile4.png'), 'broken');
  const controller = new AbortController();
  await t.throwsAsync(
    run({
      signal: controller.signal,
      onProgress: ({ step }) => step === 7 && controller.abort(new Error('x')),
    }),
  );
  const result = await run({ resume: true });
  t.deepEqual(
    result.unreadable.map(({ file }) => file),
    ['tile4.png'],
  );
  await t.throwsAsync(run({ out: join(folder, 'strict'), strict: true }), {
    code: 'STAINFOLD_TILE_UNREADABLE',
    message: /tile4\.png/,
  });
});

test('nothing to train on', async (t) => {
  const { folder, run } = await setUp(t);
  const one = join(folder, 'one.csv');
  await writeFile(one, 'file\ntile0.png\n');
  await t.throwsAsync(run({ tiles: one }), { code: 'STAINFOLD_TILES_EMPTY', message: /1 tile/ });
  await writeFile(join(folder, 'a.png'), 'x');
  await writeFile(join(folder, 'b.png'), 'x');
  await writeFile(one, 'file\na.png\nb.png\n');
  await t.throwsAsync(run({ tiles: one }), {
    code: 'STAINFOLD_TILES_EMPTY',
    message: /None of 2 tiles can be read/,
  });
});

test('the tile size is the first readable tile’s, rounded down', async (t) => {
  const { folder, run } = await setUp(t);
  const set = async (size) => {
    const tiles = join(folder, 'sized.csv');
    await writeTiles(folder, 2, size);
    await writeFile(tiles, 'file\ntile0.png\ntile1.png\n');
    const done = run({ tiles, out: join(folder, `run${size}`), epochs: 1 });
    await done;
    return done.native.events.find(([event]) => event === 'trainer')[1].model.tileSize;
  };
  t.is(await set(70), 64);
  t.is(await set(20), 32);
});
