import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { PAIRED_BEGINNING, PairedLoader } from '../../lib/data/paired-loader.js';
import { openTileSet } from '../../lib/data/tile-set.js';
import { temporaryFolder, writeTiles } from './tiles.js';

async function site(t, count, broken = []) {
  const folder = await temporaryFolder(t);
  await writeTiles(folder, count);
  for (const i of broken) await writeFile(join(folder, `tile${i}.png`), 'broken');
  return (await openTileSet({ tiles: folder })).tiles;
}

const pair = (source, target, options = {}, unreadable = undefined) =>
  new PairedLoader(
    { source, target },
    { tileSize: 32, batchSize: 2, epochs: 2, seed: 7, cacheBytes: 0, strict: false, ...options },
    unreadable,
  );

async function collect(loader, from = PAIRED_BEGINNING) {
  const batches = [];
  for await (const { source, target, epoch, next, release } of loader.batches(from)) {
    batches.push({ source: [...source.tiles], target: [...target.tiles], epoch, next });
    release();
  }
  return batches;
}

test('an epoch is a pass over the larger site, while the smaller goes round', async (t) => {
  const [large, small] = [await site(t, 9), await site(t, 5)];
  for (const [source, target] of [
    [large, small],
    [small, large],
  ]) {
    const loader = pair(source, target);
    t.is(loader.batchesPerEpoch, 4);
    t.is(loader.steps, 8);
    const batches = await collect(loader);
    t.deepEqual(
      batches.map(({ epoch }) => epoch),
      [0, 0, 0, 0, 1, 1, 1, 1],
    );
    const which = source === large ? 'source' : 'target';
    const other = which === 'source' ? 'target' : 'source';
    for (const epoch of [0, 1]) {
      const seen = batches.filter((batch) => batch.epoch === epoch).flatMap((batch) => batch[which]);
      t.is(new Set(seen).size, 8, 'no tile of the larger site twice');
    }
    // Two batches are a round of the smaller site, and no round is like the one before.
    const rounds = [0, 2, 4, 6].map((i) => batches.slice(i, i + 2).flatMap((batch) => batch[other]));
    for (const round of rounds) t.is(new Set(round).size, 4);
    t.true(new Set(rounds.map(String)).size > 1);
  }
});

test('from any position on: what the whole run would have had', async (t) => {
  const [source, target] = [await site(t, 7), await site(t, 4, [1])];
  const whole = await collect(pair(source, target));
  t.is(whole.length, 6);
  for (const [i, { next }] of whole.entries()) {
    // Through JSON, as a checkpoint keeps it.
    const rest = await collect(pair(source, target), JSON.parse(JSON.stringify(next)));
    t.deepEqual(rest, whole.slice(i + 1));
  }
});

test('unreadable tiles are told apart by site, though they have one name', async (t) => {
  const [source, target] = [await site(t, 4), await site(t, 4, [1])];
  const loader = pair(source, target);
  await collect(loader);
  t.deepEqual(loader.unreadable.source, []);
  t.deepEqual(
    loader.unreadable.target.map(({ file }) => file),
    ['tile1.png'],
  );
  const again = pair(source, target, {}, loader.unreadable);
  t.deepEqual(again.unreadable, loader.unreadable);
});

test('strict: an unreadable tile of either site ends it', async (t) => {
  const [source, target] = [await site(t, 4), await site(t, 4, [1])];
  for (const tiles of [
    [source, target],
    [target, source],
  ]) {
    await t.throwsAsync(collect(pair(...tiles, { strict: true })), { code: 'STAINFOLD_TILE_UNREADABLE' });
  }
});
