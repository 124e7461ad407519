import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { openEncoder } from '../../lib/api/encoder.js';
import { modelMetadata } from '../../lib/api/model-file.js';
import { writeSafetensors } from '../../lib/data/safetensors.js';
import { encoderSchema, validate } from '../../lib/internal/validate.js';
import { pixels, temporaryFolder, writeTiles } from '../data/tiles.js';
import { fakeNative } from './fake-native.js';

const LATENT = 8;
const info = {
  format: 'stainfold',
  formatVersion: 1,
  kind: 'model',
  size: 'tiny',
  latent: LATENT,
  tileSize: 32,
  parameters: 4,
  provenance: { where: {} },
  options: {},
};
const SPECS = [
  { name: 'encoder.weight', dtype: 'F32', shape: [2, 2] },
  { name: 'optimiser.encoder.weight.exp_avg', dtype: 'F32', shape: [2] },
];

async function setUp(t, options = {}) {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'model.safetensors');
  await writeSafetensors(path, SPECS, [new Uint8Array(24)], modelMetadata(info));
  const native = fakeNative();
  const open = () => openEncoder(async () => native, path, validate(encoderSchema, options));
  return { folder, path, native, open };
}

const firstByte = (value) => ({ data: new Uint8Array(3072).fill(value), width: 32, height: 32, channels: 3 });
const column = ({ data, shape }, c) => Array.from({ length: shape[0] }, (_, row) => data[row * LATENT + c]);

test('opens the served tensors alone', async (t) => {
  const { native, open } = await setUp(t, { threads: 1 });
  const encoder = await open();
  t.deepEqual(
    native.events.find(([event]) => event === 'open'),
    ['open', ['encoder.weight'], 16],
  );
  t.deepEqual(native.events[0], ['threads', 1]);
  t.is(encoder.device, 'cpu');
  t.is(encoder.precision, 'fp32');
  t.deepEqual(encoder.info, info);
});

test('one tile of each kind, none, many, a stream: order kept', async (t) => {
  const { folder, open } = await setUp(t, { batchSize: 3 });
  const encoder = await open();
  const [path] = await writeTiles(folder, 1);
  const first = pixels(32, 0)[0];
  for (const tile of [path, await readFile(path), firstByte(first)]) {
    const { data, shape } = await encoder.embed(tile);
    t.deepEqual(shape, [1, LATENT]);
    t.is(data[0], first);
  }
  t.deepEqual((await encoder.embed([])).shape, [0, LATENT]);
  const values = Array.from({ length: 20 }, (_, i) => i * 3);
  t.deepEqual(column(await encoder.embed(values.map(firstByte)), 0), values);
  async function* stream() {
    for (const value of values) yield firstByte(value);
  }
  const streamed = await encoder.embed(stream());
  t.deepEqual(column(streamed, 0), values);
  t.deepEqual(
    column(streamed, 1),
    values.map((_, i) => i % 3),
  );
  t.deepEqual(column(await encoder.embed(new Set(values.map(firstByte))), 0), values);
});

test('concurrent calls do not mix', async (t) => {
  const { open } = await setUp(t, { batchSize: 2 });
  const encoder = await open();
  const lists = [1, 2, 3].map((k) => Array.from({ length: 7 }, (_, i) => k * 10 + i));
  const results = await Promise.all(lists.map((values) => encoder.embed(values.map(firstByte))));
  t.deepEqual(
    results.map((result) => column(result, 0)),
    lists,
  );
});

test('reconstruct gives tiles, progress counts them', async (t) => {
  const { open } = await setUp(t, { batchSize: 2 });
  const encoder = await open();
  const done = [];
  const drawn = await encoder.reconstruct([1, 2, 3].map(firstByte), {
    onProgress: (count) => done.push(count),
  });
  t.deepEqual(drawn, [1, 2, 3].map(firstByte));
  t.deepEqual(done, [2, 3]);
});

test('an unreadable tile rejects with its index, or is left out', async (t) => {
  const { folder, open } = await setUp(t);
  const encoder = await open();
  const [good] = await writeTiles(folder, 1);
  const broken = join(folder, 'broken.png');
  await writeFile(broken, 'x');
  const error = await t.throwsAsync(encoder.embed([good, broken, good]), {
    code: 'STAINFOLD_TILE_UNREADABLE',
  });
  t.regex(error.message, /^Tile 1: .*broken\.png: .*unsupported/);
  const left = [];
  const { shape } = await encoder.embed([broken, good, Buffer.alloc(3), good], {
    onUnreadable: (index, reason) => left.push([index, typeof reason]),
  });
  t.deepEqual(shape, [2, LATENT]);
  t.deepEqual(left, [
    [0, 'string'],
    [2, 'string'],
  ]);
});

test('what is no tile', async (t) => {
  const { open } = await setUp(t);
  const encoder = await open();
  for (const tiles of [3, null, undefined, [3], [null], {}]) {
    await t.throwsAsync(encoder.embed(tiles), { code: 'STAINFOLD_OPTION', message: /A tile must be a path/ });
  }
  await t.throwsAsync(encoder.embed([], { nope: 1 }), { code: 'STAINFOLD_OPTION_UNKNOWN' });
});

test('an abort rejects with its reason and stops taking tiles', async (t) => {
  const { open } = await setUp(t, { batchSize: 2 });
  const encoder = await open();
  const controller = new AbortController();
  const reason = new Error('enough');
  let taken = 0;
  async function* endless() {
    while (true) {
      if (++taken === 30) controller.abort(reason);
      yield firstByte(taken & 255);
    }
  }
  t.is(await t.throwsAsync(encoder.embed(endless(), { signal: controller.signal })), reason);
  const after = taken;
  await new Promise((done) => setTimeout(done, 30));
  t.is(taken, after);
  t.is(await t.throwsAsync(encoder.embed([], { signal: AbortSignal.abort(reason) })), reason);
});

test('after dispose every method rejects; calls under way do, too', async (t) => {
  const { open } = await setUp(t, { batchSize: 1 });
  const encoder = await open();
  const running = t.throwsAsync(encoder.embed([1, 2, 3, 4, 5].map(firstByte)), {
    code: 'STAINFOLD_DISPOSED',
  });
  await new Promise((done) => setTimeout(done, 3));
  await encoder.dispose();
  await encoder.dispose();
  await running;
  await t.throwsAsync(encoder.embed([firstByte(1)]), { code: 'STAINFOLD_DISPOSED' });
  await t.throwsAsync(encoder.reconstruct([firstByte(1)]), { code: 'STAINFOLD_DISPOSED' });
});

test('disposed by scope', async (t) => {
  const { native, open } = await setUp(t);
  const encoder = await open();
  await encoder[Symbol.asyncDispose]();
  t.deepEqual(native.events.at(-1), ['dispose']);
});

test('files that are no model', async (t) => {
  const { path, open } = await setUp(t);
  const write = (description, specs = SPECS) =>
    writeSafetensors(path, specs, [new Uint8Array(24)], { stainfold: description });
  const refused = (message) => ({ code: 'STAINFOLD_CHECKPOINT', message });
  await write('{');
  await t.throwsAsync(open(), refused(/not JSON/));
  await write('null');
  await t.throwsAsync(open(), refused(/format undefined/));
  await write(JSON.stringify({ ...info, formatVersion: 2 }));
  await t.throwsAsync(open(), refused(/version 2.*Update stainfold/));
  await write(JSON.stringify({ ...info, latent: 'x' }));
  await t.throwsAsync(open(), refused(/incomplete/));
  await write(JSON.stringify(info), [{ ...SPECS[0], dtype: 'I32' }, SPECS[1]]);
  await t.throwsAsync(open(), refused(/'encoder\.weight' is I32/));
});
