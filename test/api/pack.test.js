// Invariant: a pack is the folder or manifest that it was made from, in every place that takes one, or it says what is wrong.
import { execFile, spawnSync } from 'node:child_process';
import { copyFile, mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import sharp from 'sharp';
import { decodeImage, decodeTile, probeTile } from '../../lib/data/decode.js';
import { HEADER_BYTES } from '../../lib/data/pack-format.js';
import { digestTiles, openTileSet } from '../../lib/data/tile-set.js';
import { lockFolder } from '../../lib/files/lock.js';
import { checkPack, listTiles, packTiles, readTile } from '../../lib/index.js';
import { pixels, raw, temporaryFolder, writeTiles } from '../data/tiles.js';

const CLI = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url));

/** Five tiles of different kinds and sizes in a tree, and a manifest of them. */
async function source(t) {
  const folder = await temporaryFolder(t);
  const tiles = join(folder, 'tiles');
  await mkdir(join(tiles, 'more'), { recursive: true });
  await writeTiles(tiles, 3);
  const large = sharp(pixels(64, 7), raw(64)).blur(2);
  await writeFile(join(tiles, 'more', 'tile10.jpg'), await large.jpeg().toBuffer());
  await writeFile(
    join(tiles, 'more', 'wide.png'),
    await sharp(pixels(64, 8), raw(64)).resize(64, 40, { fit: 'fill' }).png().toBuffer(),
  );
  const manifest = join(folder, 'tiles.csv');
  await writeFile(
    manifest,
    'file,site,slide\ntiles/more/tile10.jpg,A,"one, two"\ntiles/tile2.png,B,x\ntiles/tile0.png,A,\n',
  );
  return { folder, tiles, manifest, pack: join(folder, 'set.pack') };
}

const same = async (t, from, to, read) => {
  t.deepEqual(
    to.map(({ file, labels, bytes }) => ({ file, labels, bytes })),
    from.map(({ file, labels, bytes }) => ({ file, labels, bytes })),
  );
  for (const [i, { path }] of from.entries()) {
    const [expected, got] = await Promise.all([read(path), read(to[i].path)]);
    t.deepEqual(new Uint8Array(got), new Uint8Array(expected), path);
  }
};

test('a folder: names, order, sizes, digest and pixels', async (t) => {
  const { tiles, pack } = await source(t);
  const seen = [];
  const result = await packTiles({ tiles, out: pack, onProgress: (...args) => seen.push(args) });
  const from = await openTileSet({ tiles });
  const to = await openTileSet({ tiles: pack });
  t.is(result.tiles, 5);
  t.is(result.bytes, (await stat(pack)).size);
  t.deepEqual(result.unreadable, []);
  t.deepEqual(seen.at(-1), [5, 5]);
  t.is(result.dataDigest, digestTiles(from.tiles, []));
  t.is(digestTiles(to.tiles, []), result.dataDigest);
  await same(t, from.tiles, to.tiles, async (path) => (await decodeImage(path)).data);
  await same(t, from.tiles.slice(0, 3), to.tiles.slice(0, 3), (path) => decodeTile(path, 32));
  const wide = to.tiles.find(({ file }) => file.endsWith('wide.png'));
  t.deepEqual(await probeTile(wide.path), { width: 64, height: 40 });
  t.is((await readTile(wide.path, 32)).data.length, 3072);
});

test('a manifest: labels and `where`; of one size as an encoder sees them', async (t) => {
  const { manifest, pack } = await source(t);
  await packTiles({ tiles: manifest, out: pack, tileSize: 32 });
  const [from, to] = await Promise.all([manifest, pack].map((tiles) => openTileSet({ tiles })));
  t.deepEqual(to.columns, from.columns);
  await same(t, from.tiles, to.tiles, (path) => decodeTile(path, 32));
  const where = { site: 'A' };
  const [some, packed] = await Promise.all([manifest, pack].map((tiles) => listTiles({ tiles, where })));
  t.deepEqual(
    packed.tiles.map(({ file }) => file),
    some.tiles.map(({ file }) => file),
  );
  await t.throwsAsync(listTiles({ tiles: pack, where: { nope: '1' } }), {
    code: 'STAINFOLD_MANIFEST',
    message: /has only site, slide/,
  });
  await t.throwsAsync(listTiles({ tiles: pack, where: { site: 'C' } }), { code: 'STAINFOLD_TILES_EMPTY' });
  const again = join(manifest, '..', 'again.pack');
  await packTiles({ tiles: pack, out: again, where });
  t.deepEqual(
    (await openTileSet({ tiles: again })).tiles.map(({ file }) => file),
    some.tiles.map(({ file }) => file),
  );
});

test('the layout that is documented', async (t) => {
  const { tiles, pack } = await source(t);
  await packTiles({ tiles, out: pack });
  const bytes = await readFile(pack);
  t.is(bytes.toString('latin1', 0, 8), 'SFPACK1\n');
  const at = Number(bytes.readBigUInt64LE(8));
  t.is(at + Number(bytes.readBigUInt64LE(16)), bytes.length);
  const manifest = JSON.parse(bytes.toString('utf8', at));
  t.is(manifest.format, 'stainfold-pack');
  t.true(manifest.tiles.offset.every((offset) => offset % 64 === 0 && offset >= HEADER_BYTES));
  const i = manifest.tiles.file.indexOf('tile1.png');
  const start = manifest.tiles.offset[i];
  t.deepEqual(new Uint8Array(bytes.subarray(start, start + 3072)), pixels(32, 1));
});

test('a corrupt JPEG among good ones is left out and listed; strict refuses and leaves nothing', async (t) => {
  const { folder, tiles, pack } = await source(t);
  const good = await readFile(join(tiles, 'more', 'tile10.jpg'));
  await writeFile(join(tiles, 'cut.jpg'), good.subarray(0, good.length / 2));
  const { tiles: count, unreadable } = await packTiles({ tiles, out: pack });
  t.is(count, 5);
  t.deepEqual(
    unreadable.map(({ file }) => file),
    ['cut.jpg'],
  );
  t.false((await listTiles({ tiles: pack })).tiles.some(({ file }) => file === 'cut.jpg'));
  const other = join(folder, 'other.pack');
  await t.throwsAsync(packTiles({ tiles, out: other, strict: true }), { code: 'STAINFOLD_TILE_UNREADABLE' });
  t.deepEqual((await readdir(folder)).sort(), ['set.pack', 'tiles', 'tiles.csv']);
});

test('nothing readable is an error', async (t) => {
  const { folder, pack } = await source(t);
  const bad = join(folder, 'bad');
  await mkdir(bad);
  await writeFile(join(bad, 'a.png'), 'x');
  await t.throwsAsync(packTiles({ tiles: bad, out: pack }), {
    code: 'STAINFOLD_TILES_EMPTY',
    message: /None of 1 tiles.*a\.png: /,
  });
});

test('cut off, damaged, foreign: each says what it is', async (t) => {
  const { folder, tiles, pack } = await source(t);
  await packTiles({ tiles, out: pack });
  const whole = await readFile(pack);
  const variant = async (name, change) => {
    const path = join(folder, name);
    await copyFile(pack, path);
    await change(path);
    return path;
  };
  const refused = (message) => ({ code: 'STAINFOLD_PACK', message });
  const cut = await variant('cut.pack', (path) => truncate(path, whole.length - 1));
  await t.throwsAsync(
    listTiles({ tiles: cut }),
    refused(new RegExp(`cut off: ${whole.length - 1} of ${whole.length}`)),
  );
  const stub = await variant('stub.pack', (path) => truncate(path, 20));
  await t.throwsAsync(listTiles({ tiles: stub }), refused(/does not begin as a pack/));
  const longer = await variant('longer.pack', (path) => writeFile(path, Buffer.concat([whole, whole])));
  await t.throwsAsync(listTiles({ tiles: longer }), refused(/header does not fit/));
  const flipped = (at) => (path) => {
    const bytes = Buffer.from(whole);
    bytes[at] ^= 1;
    return writeFile(path, bytes);
  };
  const manifest = await variant('manifest.pack', flipped(whole.length - 3));
  await t.throwsAsync(listTiles({ tiles: manifest }), refused(/SHA-256/));
  const pixel = await variant('pixel.pack', flipped(HEADER_BYTES + 10));
  const [first, second] = (await listTiles({ tiles: pixel })).tiles;
  await t.throwsAsync(readTile(first.path, 32), refused(/pixels of .* are damaged/));
  await t.notThrowsAsync(readTile(second.path, 32));
  await t.throwsAsync(checkPack(pixel), refused(/CRC-32/));
  t.is((await checkPack(pack)).tiles, 5);
  const foreign = await variant('foreign.pack', (path) => writeFile(path, 'file\n'));
  await t.throwsAsync(packTiles({ tiles, out: foreign }), { code: 'STAINFOLD_OUTPUT_EXISTS' });
  await t.throwsAsync(listTiles({ tiles: join(folder, 'none.pack') }), { code: 'STAINFOLD_FILE_NOT_FOUND' });
  await t.throwsAsync(readTile(join(pack, 'no.png'), 32), refused(/no tile no\.png/));
});

test('replaced by another, the new one is read', async (t) => {
  const { tiles, manifest, pack } = await source(t);
  await packTiles({ tiles, out: pack });
  t.is((await listTiles({ tiles: pack })).tiles.length, 5);
  await packTiles({ tiles: manifest, out: pack, where: { site: 'B' } });
  const [only, ...rest] = (await listTiles({ tiles: pack })).tiles;
  t.is(rest.length, 0);
  t.deepEqual(new Uint8Array((await readTile(only.path, 32)).data), pixels(32, 2));
});

test('a folder named like a pack is a folder', async (t) => {
  const folder = join(await temporaryFolder(t), 'named.pack');
  await mkdir(folder);
  const [path] = await writeTiles(folder, 1);
  t.is((await listTiles({ tiles: folder })).tiles.length, 1);
  t.deepEqual(new Uint8Array((await readTile(path, 32)).data), pixels(32, 0));
});

test('one at a time; an abort leaves what was there', async (t) => {
  const { folder, tiles, pack } = await source(t);
  await packTiles({ tiles, out: pack });
  const before = await readFile(pack);
  const lock = await lockFolder(folder, '.set.pack.lock');
  await t.throwsAsync(packTiles({ tiles, out: pack }), { code: 'STAINFOLD_LOCKED' });
  lock.release();
  const controller = new AbortController();
  const reason = new Error('enough');
  const onProgress = () => controller.abort(reason);
  const error = await t.throwsAsync(packTiles({ tiles, out: pack, signal: controller.signal, onProgress }));
  t.is(error, reason);
  t.deepEqual(await readFile(pack), before);
  t.deepEqual((await readdir(folder)).sort(), ['set.pack', 'tiles', 'tiles.csv']);
});

test('options', async (t) => {
  await t.throwsAsync(packTiles({ tiles: 'x', out: 'x.zip' }), {
    code: 'STAINFOLD_OPTION',
    message: /out must be a path that ends in \.pack/,
  });
  await t.throwsAsync(packTiles({ tiles: 'x', out: 'x.pack', size: 3 }), {
    code: 'STAINFOLD_OPTION_UNKNOWN',
  });
});

const run = (command, args) =>
  new Promise((done) => {
    execFile(command, args, (error, stdout, stderr) => done({ code: error?.code ?? 0, stdout, stderr }));
  });

const hasBash = spawnSync('bash', ['-c', 'exit']).status === 0;
if (!hasBash) console.log('skipped: there is no bash to limit the size of a file');

(hasBash ? test : test.skip)('a disk that takes no more: an error, and nothing left behind', async (t) => {
  const { folder, tiles, pack } = await source(t);
  // A limit on a file's size, as a stand-in: the write fails in the same place with EFBIG. 8 blocks of 1024 bytes.
  const script = `trap '' XFSZ; ulimit -f 8; exec "$0" "$@"`;
  const args = ['-c', script, process.execPath, CLI, 'pack', tiles, '-o', pack, '--json'];
  const { code, stdout } = await run('bash', args);
  t.is(code, 1);
  t.is(JSON.parse(stdout).error.code, 'STAINFOLD_FILE_WRITE');
  t.deepEqual((await readdir(folder)).sort(), ['tiles', 'tiles.csv']);
});
