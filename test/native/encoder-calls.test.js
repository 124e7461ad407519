// Invariant: concurrent calls of one encoder give what each gives alone, and one call's end is not another's.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { generatePhantom, loadEncoder } from '../../lib/index.js';
import { sharedFolder } from '../data/tiles.js';

const folder = sharedFolder(test);
let encoder;
let tiles;

test.before(async () => {
  const { manifest } = await generatePhantom({
    out: folder,
    tiles: 16,
    labs: 2,
    tileSize: SIDE,
    device: 'cpu',
  });
  const names = (await readdir(join(manifest, '..', 'tiles'))).sort();
  tiles = [];
  for (const name of names) {
    const jpeg = await sharp(join(folder, 'tiles', name))
      .jpeg({ quality: 90 })
      .toBuffer();
    tiles.push(jpeg);
    await writeFile(join(folder, `${name}.jpg`), jpeg);
  }
  encoder = await loadEncoder('phantom-tiny', { device: 'cpu', threads: 1, batchSize: 16 });
  if (encoder.info.tileSize !== SIDE) throw new Error(`phantom-tiny takes ${encoder.info.tileSize} px`);
});
test.after.always(() => encoder?.dispose());

/** Of phantom-tiny: JPEGs of this size go through the native decoder. */
const SIDE = 64;

const row = ({ data, shape: [, d] }, i) => data.subarray(i * d, (i + 1) * d);

/** Of the longest row: floating-point sums may be grouped otherwise in batches of other sizes. */
function checkClose(t, got, expected, what) {
  const most = Math.max(...expected.map(Math.abs));
  const off = Math.max(...got.map((value, i) => Math.abs(value - expected[i])));
  t.true(off <= 1e-5 * most, `${what}: off by ${off} of ${most}`);
}

test.serial('100 concurrent calls: each gets the embedding that its tile has alone', async (t) => {
  const alone = [];
  for (const tile of tiles) alone.push((await encoder.embed(tile)).data);
  const calls = Array.from({ length: 100 }, (_, i) => encoder.embed(tiles[(7 * i) % tiles.length]));
  for (const [i, { data, shape }] of (await Promise.all(calls)).entries()) {
    t.deepEqual(shape, [1, encoder.info.latent]);
    checkClose(t, data, alone[(7 * i) % tiles.length], `call ${i}`);
  }
  const whole = await encoder.embed(tiles);
  for (const [i, expected] of alone.entries()) checkClose(t, row(whole, i), expected, `row ${i}`);
});

test.serial('calls that differ in length, kind and end', async (t) => {
  const expected = await encoder.embed(tiles);
  const paths = (await readdir(folder))
    .filter((name) => name.endsWith('.jpg'))
    .sort()
    .map((name) => join(folder, name));
  async function* stream() {
    for (const tile of tiles) {
      await new Promise((done) => setTimeout(done, 1));
      yield tile;
    }
  }
  const corrupt = Buffer.from(tiles[3].subarray(0, tiles[3].length / 2));
  const controller = new AbortController();
  const reason = new Error('enough');
  const left = [];
  const aborted = t.throwsAsync(
    encoder.embed(
      Array.from({ length: 400 }, (_, i) => tiles[i % tiles.length]),
      {
        signal: controller.signal,
        onProgress: () => controller.abort(reason),
      },
    ),
  );
  const [fromPaths, fromStream, skipped, failed, error] = await Promise.all([
    encoder.embed(paths),
    encoder.embed(stream()),
    encoder.embed([tiles[0], corrupt, tiles[1]], { onUnreadable: (index) => left.push(index) }),
    t.throwsAsync(encoder.embed([tiles[0], corrupt]), { code: 'STAINFOLD_TILE_UNREADABLE' }),
    aborted,
  ]);
  for (const [i] of tiles.entries()) {
    checkClose(t, row(fromPaths, i), row(expected, i), `path ${i}`);
    checkClose(t, row(fromStream, i), row(expected, i), `streamed ${i}`);
  }
  t.deepEqual(skipped.shape, [2, encoder.info.latent]);
  checkClose(t, row(skipped, 1), row(expected, 1), 'behind the corrupt one');
  t.deepEqual(left, [1]);
  t.regex(failed.message, /^Tile 1: /);
  t.is(error, reason);
});

test.serial('a raw tile whose memory is gone: that call fails, the others do not', async (t) => {
  const { data, info } = await sharp(tiles[0]).raw().toBuffer({ resolveWithObject: true });
  const good = { data: new Uint8Array(data), width: info.width, height: info.height, channels: 3 };
  const expected = (await encoder.embed(good)).data;
  const gone = { ...good, data: new Uint8Array(data) };
  structuredClone(gone.data.buffer, { transfer: [gone.data.buffer] });
  const calls = [encoder.embed(good), encoder.embed(gone), encoder.embed(good)];
  const [first, second, third] = await Promise.allSettled(calls);
  t.is(second.status, 'rejected');
  t.is(second.reason.code, 'STAINFOLD_SHAPE');
  for (const { value } of [first, third]) checkClose(t, value.data, expected, 'beside it');
});

test.serial('disposed with calls under way and in line: all reject with the one code', async (t) => {
  const other = await loadEncoder('phantom-tiny', { device: 'cpu', batchSize: 4 });
  let begun;
  const first = new Promise((done) => {
    begun = done;
  });
  const calls = [32, 1, 9].map((count) => {
    const list = Array.from({ length: 300 * count }, (_, i) => tiles[i % tiles.length]);
    return t.throwsAsync(other.embed(list, { onProgress: begun }), { code: 'STAINFOLD_DISPOSED' });
  });
  await first;
  await other.dispose();
  await Promise.all(calls);
});
