import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { digestTiles, openTileSet } from '../../lib/data/tile-set.js';
import { temporaryFolder, writeTiles } from './tiles.js';

const names = ({ tiles }) => tiles.map(({ file }) => file);

async function manifest(t, text, tiles = 3) {
  const folder = await temporaryFolder(t);
  await writeTiles(folder, tiles);
  const path = join(folder, 'tiles.csv');
  await writeFile(path, text);
  return path;
}

test('a folder: recursive, natural order, images only', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'b'));
  await writeTiles(folder, 11);
  await writeTiles(join(folder, 'b'), 1);
  for (const name of ['notes.txt', '._tile0.png', 'A.JPG', 'x.bmp']) await writeFile(join(folder, name), 'x');
  await symlink(join(folder, 'tile1.png'), join(folder, 'z.png'));
  const set = await openTileSet({ tiles: folder });
  const numbered = Array.from({ length: 11 }, (_, i) => `tile${i}.png`);
  t.deepEqual(names(set), ['A.JPG', 'b/tile0.png', ...numbered, 'x.bmp', 'z.png']);
  t.deepEqual(set.columns, []);
  t.true(set.tiles.every(({ bytes }) => bytes > 0));
});

test('folders that hold or are nothing', async (t) => {
  const folder = await temporaryFolder(t);
  await t.throwsAsync(openTileSet({ tiles: folder }), { code: 'STAINFOLD_TILES_EMPTY' });
  await t.throwsAsync(openTileSet({ tiles: join(folder, 'none') }), {
    code: 'STAINFOLD_FILE_NOT_FOUND',
    message: /none/,
  });
  await t.throwsAsync(openTileSet({ tiles: folder, where: { site: 'A' } }), {
    code: 'STAINFOLD_MANIFEST',
    message: /site=A/,
  });
});

test('a manifest: BOM, CRLF, quotes, paths relative to it, its order kept, a file twice', async (t) => {
  const path = await manifest(
    t,
    '\ufefffile,"site, name",n\r\ntile2.png,"a ""quoted"", one",1\r\n"tile0.png",B,2\r\n\r\ntile2.png,B,3\r\n',
  );
  const set = await openTileSet({ tiles: path });
  t.deepEqual(set.columns, ['site, name', 'n']);
  t.deepEqual(names(set), ['tile2.png', 'tile0.png', 'tile2.png']);
  t.deepEqual(set.tiles[0].labels, { 'site, name': 'a "quoted", one', n: '1' });
  t.is(set.tiles[1].path, join(path, '..', 'tile0.png'));
});

test('where keeps rows; what it drops need not exist', async (t) => {
  const path = await manifest(t, 'file,site,n\ntile0.png,A,1\ngone.png,B,1\ntile1.png,A,2\n');
  t.deepEqual(names(await openTileSet({ tiles: path, where: { site: 'A' } })), ['tile0.png', 'tile1.png']);
  t.deepEqual(names(await openTileSet({ tiles: path, where: { site: 'A', n: '2' } })), ['tile1.png']);
  await t.throwsAsync(openTileSet({ tiles: path, where: { site: 'C' } }), {
    code: 'STAINFOLD_TILES_EMPTY',
    message: /site=C/,
  });
  await t.throwsAsync(openTileSet({ tiles: path, where: { Site: 'A' } }), {
    code: 'STAINFOLD_MANIFEST',
    message: /'Site'.*'site'/,
  });
});

const bad = [
  ['is empty', '', 'STAINFOLD_MANIFEST', /empty/],
  ['has no file column', 'path,site\na,b\n', 'STAINFOLD_MANIFEST', /'file'.*'path'/],
  ['has a column twice', 'file,site,site\na,b,c\n', 'STAINFOLD_MANIFEST', /'site' twice/],
  ['has a short row', 'file,site\ntile0.png,A\ntile1.png\n', 'STAINFOLD_MANIFEST', /line 3 has 1 values/],
  ['has a row without a file', 'file,site\ntile0.png,A\n,B\n', 'STAINFOLD_MANIFEST', /line 3/],
  ['has an open quote', 'file,site\n"tile0.png,A\n', 'STAINFOLD_MANIFEST', /[Qq]uote/],
  [
    'names a missing file',
    'file,site\ntile0.png,A\n\ngone.png,A\n',
    'STAINFOLD_FILE_NOT_FOUND',
    /line 4: gone\.png/,
  ],
  ['has a header alone', 'file,site\n', 'STAINFOLD_TILES_EMPTY', /no tiles/],
  ['names a folder', 'file\n.\n', 'STAINFOLD_FILE_READ', /not a file/],
];
for (const [what, text, code, message] of bad) {
  test(`a manifest that ${what}`, async (t) => {
    await t.throwsAsync(openTileSet({ tiles: await manifest(t, text) }), { code, message });
  });
}

test('a manifest must be called .csv', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'tiles.txt'), 'file\na.png\n');
  await t.throwsAsync(openTileSet({ tiles: join(folder, 'tiles.txt') }), { code: 'STAINFOLD_MANIFEST' });
});

test('the digest: of names, sizes and the given labels, not of order or other labels', (t) => {
  const tiles = [
    { file: 'a', path: '/x/a', bytes: 1, labels: { lab: 'A', other: '1' } },
    { file: 'b', path: '/x/b', bytes: 2, labels: { lab: 'B', other: '1' } },
  ];
  const digest = digestTiles(tiles, ['lab']);
  const change = (fields) => [tiles[0], { ...tiles[1], ...fields }];
  t.regex(digest, /^[0-9a-f]{64}$/);
  t.is(digestTiles([tiles[1], tiles[0]], ['lab']), digest);
  t.is(digestTiles(change({ path: '/elsewhere', labels: { lab: 'B', other: '2' } }), ['lab']), digest);
  t.not(digestTiles(change({ bytes: 3 }), ['lab']), digest);
  t.not(digestTiles(change({ file: 'c' }), ['lab']), digest);
  t.not(digestTiles(change({ labels: { lab: 'C' } }), ['lab']), digest);
});

test('listing can be aborted', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTiles(folder, 1);
  const reason = new Error('enough');
  const error = await t.throwsAsync(openTileSet({ tiles: folder }, AbortSignal.abort(reason)));
  t.is(error, reason);
});

async function folderOf(t, name) {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, name), 'xyz');
  return folder;
}

test('a folder: a link to nothing is a tile that cannot be read, what is no file is none', async (t) => {
  const folder = await folderOf(t, 'a.png');
  await symlink('nothing.png', join(folder, 'b.png'));
  execFileSync('mkfifo', [join(folder, 'c.png')]);
  const { tiles } = await openTileSet({ tiles: folder });
  t.deepEqual(
    tiles.map(({ file, bytes }) => [file, bytes]),
    [
      ['a.png', 3],
      ['b.png', 0],
    ],
  );
});

test('semicolons and tabs for commas, told by the header', async (t) => {
  const folder = await folderOf(t, 'a,1.png');
  for (const mark of [';', '\t']) {
    const manifest = join(folder, 'tiles.csv');
    await writeFile(manifest, `\ufeff"file"${mark}site\r\na,1.png${mark}A, B\r\n`);
    const { columns, tiles } = await openTileSet({ tiles: manifest });
    t.deepEqual([columns, tiles[0].file, tiles[0].labels], [['site'], 'a,1.png', { site: 'A, B' }]);
  }
});

test('a filter that nothing passes is answered with the values that there are', async (t) => {
  const folder = await folderOf(t, 'a.png');
  const manifest = join(folder, 'tiles.csv');
  const many = Array.from({ length: 30 }, (_, i) => `a.png,S${i}\n`).join('');
  await writeFile(manifest, `file,site\n${many}`);
  const message = /no tiles with site=s1: site is 'S0', .*'S9', …\. Correct --where/;
  await t.throwsAsync(openTileSet({ tiles: manifest, where: { site: 's1' } }), {
    code: 'STAINFOLD_TILES_EMPTY',
    message,
  });
});
