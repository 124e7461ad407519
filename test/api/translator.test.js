// With the real core, in its smallest size: what trains, what is written, what comes back.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { translateTiles } from '../../lib/api/translator.js';
import { trainTranslator } from '../../lib/api/translator-train.js';
import { openTileSet } from '../../lib/data/tile-set.js';
import { inspect } from '../../lib/index.js';
import { temporaryFolder, writeTiles } from '../data/tiles.js';

const SMALL = {
  tileSize: 32,
  epochs: 2,
  batchSize: 2,
  width: 4,
  blocks: 1,
  judgeLayers: 2,
  device: 'cpu',
  threads: 1,
};

async function setUp(t) {
  const folders = { source: await temporaryFolder(t), target: await temporaryFolder(t) };
  const paths = { source: await writeTiles(folders.source, 6), target: await writeTiles(folders.target, 4) };
  const out = await temporaryFolder(t);
  const tiles = {
    source: (await openTileSet({ tiles: folders.source })).tiles,
    target: (await openTileSet({ tiles: folders.target })).tiles,
  };
  const run = (name, options = {}) =>
    trainTranslator({ ...tiles, ...SMALL, out: join(out, name), ...options });
  const bytes = (name) =>
    Promise.all(['model', 'checkpoint'].map((file) => readFile(join(out, name, `${file}.safetensors`))));
  return { paths, out, run, bytes, tiles };
}

const metadata = async (path) => {
  const bytes = await readFile(path);
  const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString());
  return { names: Object.keys(header), info: JSON.parse(header.__metadata__.stainfold) };
};

test('a run: files, progress, provenance; the variants differ by the identity term', async (t) => {
  const { out, run } = await setUp(t);
  const seen = [];
  const result = await run('a', { onProgress: (progress) => seen.push(progress) });
  t.is(result.steps, 6);
  t.deepEqual(
    seen.map(({ step, steps, epoch }) => [step, steps, epoch]),
    [1, 2, 3, 4, 5, 6].map((step) => [step, 6, step < 4 ? 1 : 2]),
  );
  t.true(seen.every(({ identity, cycle }) => identity > 0 && cycle > 0));
  t.true(seen.at(-1).learningRate < seen[0].learningRate);
  const lines = (await readFile(join(out, 'a', 'metrics.jsonl'), 'utf8')).trimEnd().split('\n');
  t.is(lines.length, 6);

  const model = await metadata(result.model);
  t.is(model.info.kind, 'translator');
  t.is(model.info.parameters, 294 * 4 + 3 + (180 + 288) * 16);
  t.deepEqual(model.info.model, { tileSize: 32, width: 4, blocks: 1, judgeWidth: 4, judgeLayers: 2 });
  t.is(model.info.provenance.tiles, 10);
  t.is(model.info.options.identity, 0.5);
  t.true(model.names.every((name) => /^(__metadata__|to_(source|target)\..+)$/.test(name)));
  t.false(JSON.stringify(model.info).includes(out), 'no path leaves the machine');

  const stain = await run('b', { variant: 'staingan', epochs: 1 });
  t.is(stain.last.identity, 0);
  t.is((await metadata(stain.model)).info.options.identity, 0);
});

test('same seed, same bytes; another seed, others', async (t) => {
  const { run, bytes } = await setUp(t);
  for (const [name, seed] of [
    ['a', 1],
    ['b', 1],
    ['c', 2],
  ])
    await run(name, { seed });
  t.deepEqual(await bytes('a'), await bytes('b'));
  t.notDeepEqual(await bytes('a'), await bytes('c'));
});

test('stopped and resumed: as if it had never stopped', async (t) => {
  const { out, run, bytes } = await setUp(t);
  await run('whole');
  const controller = new AbortController();
  const reason = new Error('stop');
  const onProgress = ({ step }) => step === 2 && controller.abort(reason);
  t.is(await t.throwsAsync(run('part', { signal: controller.signal, onProgress })), reason);
  t.false(existsSync(join(out, 'part', 'model.safetensors')));
  await t.throwsAsync(run('part'), { code: 'STAINFOLD_OUTPUT_EXISTS' });
  await t.throwsAsync(run('part', { resume: true, identity: 0.1 }), {
    code: 'STAINFOLD_CHECKPOINT_MISMATCH',
    message: /identity 0\.5, this run has 0\.1/,
  });
  await t.throwsAsync(run('part', { resume: true, width: 8 }), {
    code: 'STAINFOLD_CHECKPOINT_MISMATCH',
    message: /width 4/,
  });
  const result = await run('part', { resume: true });
  t.is(result.steps, 6);
  t.deepEqual(await bytes('part'), await bytes('whole'));
});

test('translated tiles come one by one, in order, in both directions', async (t) => {
  const { run, paths } = await setUp(t);
  const { model } = await run('a', { epochs: 1 });
  const all = async (tiles, options) => {
    const painted = [];
    for await (const tile of translateTiles(model, tiles, { device: 'cpu', ...options })) painted.push(tile);
    return painted;
  };
  const done = [];
  const whole = await all(paths.target, { batchSize: 3, onProgress: (count) => done.push(count) });
  t.deepEqual(done, [1, 2, 3, 4]);
  t.true(whole.every(({ width, height, channels, data }) => width * height * channels === data.length));
  for (const [i, path] of paths.target.entries()) {
    const [alone] = await all(path);
    // A kernel may sum in another order for another batch size, and a grey level round the other way.
    t.true(alone.data.every((value, at) => Math.abs(value - whole[i].data[at]) <= 1));
  }
  t.notDeepEqual((await all(paths.target[0], { to: 'target' }))[0].data, whole[0].data);
  t.is((await all(paths.target[0], { tileSize: 48 }))[0].width, 48);
  const skipped = [];
  const broken = [paths.target[0], 'missing.png', new Uint8Array(9)];
  t.is((await all(broken, { onUnreadable: (index) => skipped.push(index) })).length, 1);
  t.deepEqual(skipped, [1, 2]);
  await t.throwsAsync(all(broken), { code: 'STAINFOLD_TILE_UNREADABLE', message: /Tile 1/ });
});

test('wrong files and options are refused', async (t) => {
  const { run, tiles } = await setUp(t);
  const { model, checkpoint } = await run('a', { epochs: 1 });
  await t.throwsAsync(inspect(model), { code: 'STAINFOLD_CHECKPOINT', message: /no encoder/ });
  const first = async (path, options) => translateTiles(path, [], options).next();
  t.true((await first(checkpoint, { device: 'cpu' })).done, 'a checkpoint serves as well');
  await t.throwsAsync(first(model, { to: 'elsewhere' }), {
    code: 'STAINFOLD_OPTION',
    message: /'source' or 'target'/,
  });
  await t.throwsAsync(run('b', { blocs: 3 }), { code: 'STAINFOLD_OPTION_UNKNOWN', message: /blocks/ });
  await t.throwsAsync(run('b', { source: tiles.source.slice(0, 1) }), { code: 'STAINFOLD_TILES_EMPTY' });
});
