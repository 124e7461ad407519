// The audit of a source, on phantom labs whose stain is known.
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { audit, encodeTile, generatePhantom, readTile } from '../../lib/index.js';
import { blur, randomNumbers } from '../data/artefacts.js';
import { sharedFolder } from '../data/tiles.js';

const SIDE = 64;
const CPU = { device: 'cpu', threads: 1 };
const folder = sharedFolder(test);
let tiles;

test.before(async () => {
  const out = join(folder, 'tiles');
  tiles = (await generatePhantom({ out, tiles: 60, labs: 4, tileSize: SIDE, seed: 8, ...CPU })).manifest;
});

const source = { where: { lab: '0' }, ...CPU };
const codes = ({ warnings }) => warnings.map(({ code }) => code);

test('one source: its spread beside the prior', async (t) => {
  const done = [];
  const found = await audit({ tiles, ...source, onProgress: (...at) => done.push(at) });
  t.is(found.tiles, 60);
  t.is(found.slides, 6);
  t.is(found.tileSize, SIDE);
  t.deepEqual(done.at(-1), [60, 60]);
  t.is(found.spread.length, 6);
  for (const { tiles, prior, within } of found.spread) {
    t.true(tiles >= 0 && prior > 0 && within >= 0 && within <= 1);
  }
  // Every sixth phantom tile is background.
  t.true(found.blank > 0.1 && found.blank < 0.35, `${found.blank}`);
  t.is(found.virtualLabs.length, 64);
  t.true(found.virtualLabs.some(({ inPrior }) => Math.abs(inPrior['eosin hue']) > 0.3));
  t.true(codes(found).includes('few-tiles'));
});

test('a virtual lab of no strength is the source itself; a strong one lies outside the prior', async (t) => {
  const still = await audit({ tiles, ...source, manifold: { labs: 2, strength: 0 } });
  for (const { inSource } of still.virtualLabs) {
    // Re-quantised to 8 bits.
    t.true(Math.abs(inSource['haematoxylin concentration']) < 0.1);
  }
  const wide = await audit({ tiles, ...source, manifold: { labs: 12, strength: 2 } });
  const moved = ({ virtualLabs }) =>
    Math.max(
      ...virtualLabs.map(({ inSource }) => Math.abs(inSource['eosin concentration'])).filter(Number.isFinite),
    );
  t.true(moved(wide) > 10 * moved(still) + 0.05, `${moved(wide)} and ${moved(still)}`);
});

test('other sites are named, and a strange one is outside the prior', async (t) => {
  const found = await audit({ tiles, ...source, againstColumn: 'lab' });
  t.deepEqual(
    found.sites.map(({ name, tiles }) => [name, tiles]),
    [
      ['1', 60],
      ['2', 60],
      ['3', 60],
    ],
  );
  const same = await audit({ tiles, ...source, againstTiles: tiles });
  t.is(same.sites[0].tiles, 180);

  // Half the light is taken away: no lab of the prior stains so strongly.
  const dark = join(folder, 'dark');
  await mkdir(dark);
  const lines = (await readFile(tiles, 'utf8')).split('\n').filter((line) => /^tiles\/lab0_/.test(line));
  for (const [i, line] of lines.entries()) {
    const tile = await readTile(join(folder, 'tiles', line.split(',')[0]), SIDE);
    const data = Uint8Array.from(tile.data, (x) => Math.round(240 * ((x + 1) / 240) ** 2.2 - 1));
    await writeFile(join(dark, `${i}.png`), await encodeTile({ ...tile, data }));
  }
  const strange = await audit({ tiles, ...source, againstTiles: dark });
  const [site] = strange.sites;
  t.true(site.inPrior['haematoxylin concentration'] > 2);
  t.true(site.outsidePrior);
  t.true(codes(strange).includes('outside-prior'));
});

test('warns of copies, of glass and of blur', async (t) => {
  const bad = join(folder, 'bad');
  await mkdir(bad);
  const tile = await readTile(join(folder, 'tiles', 'tiles', 'lab0_00001.png'), SIDE);
  const glass = { ...tile, data: new Uint8Array(tile.data.length).fill(244) };
  for (let i = 0; i < 4; i++) await writeFile(join(bad, `glass-${i}.png`), await encodeTile(glass));
  await copyFile(join(folder, 'tiles', 'tiles', 'lab0_00002.png'), join(bad, 'one.png'));
  await copyFile(join(bad, 'one.png'), join(bad, 'two.png'));
  const random = randomNumbers(2);
  for (let i = 3; i < 7; i++) {
    const sharp = await readTile(join(folder, 'tiles', 'tiles', `lab0_0000${i}.png`), SIDE);
    await writeFile(join(bad, `blurred-${i}.png`), await encodeTile(blur(sharp, random)));
  }
  const found = await audit({ tiles: bad, ...CPU });
  for (const code of ['few-tiles', 'white', 'blurred', 'duplicates'])
    t.true(codes(found).includes(code), code);
  t.deepEqual(found.duplicates, [['one.png', 'two.png']]);
  t.is(found.slides, null);
});

test('what cannot be audited is refused', async (t) => {
  const refused = (options, code) => t.throwsAsync(audit({ tiles, ...CPU, ...options }), { code });
  await refused({ againstColumn: 'lab' }, 'STAINFOLD_OPTION');
  await refused({ slideColumn: 'patient' }, 'STAINFOLD_MANIFEST');
  await refused({ limit: 1 }, 'STAINFOLD_OPTION');
  await refused({ against: 'lab' }, 'STAINFOLD_OPTION_UNKNOWN');
  const reason = new Error('enough');
  t.is(await t.throwsAsync(audit({ tiles, signal: AbortSignal.abort(reason) })), reason);
});
