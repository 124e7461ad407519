// Altered tiles: made once, one for one, and made again only for other settings.
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { Clock } from '../../lib/api/benchmark/clock.js';
import { preparedTiles, readTile } from '../../lib/api/benchmark/prepare.js';
import { ROWS } from '../../lib/api/benchmark/rows.js';
import { listTiles } from '../../lib/index.js';
import { png, temporaryFolder } from '../data/tiles.js';

const SIDE = 32;

async function planOf(t, changes = {}) {
  const folder = await temporaryFolder(t);
  const tiles = [];
  for (let i = 0; i < 9; i++) {
    const file = `tile${i}.png`;
    const path = join(folder, file);
    await writeFile(path, i === 4 ? 'no image' : await png(SIDE, i));
    tiles.push({ file, path, bytes: 1, labels: { site: i < 3 ? 'A' : 'B', 'a, b': `"${i}"` } });
  }
  return {
    settings: {
      out: join(folder, 'out'),
      manifest: 'tiles.csv',
      batchColumn: 'site',
      source: 'A',
      ...changes,
    },
    tiles,
    columns: ['site', 'a, b'],
    tileSize: SIDE,
  };
}

/** Inverts, and counts. */
function inverter({ keepsSource = false, failAt = Number.POSITIVE_INFINITY } = {}) {
  const seen = { opened: 0, tiles: 0, disposed: 0 };
  const open = async () => {
    seen.opened++;
    return {
      keepsSource,
      async *apply(tiles) {
        for await (const tile of tiles) {
          if (seen.tiles++ === failAt) throw new Error('broken');
          yield { ...tile, data: tile.data.map((value) => 255 - value) };
        }
      },
      dispose: async () => void seen.disposed++,
    };
  };
  return { open, seen };
}

const same = async (t, plan, { path, file }, inverted) => {
  const original = await readTile(
    plan.tiles.find((tile) => tile.file === file),
    SIDE,
  );
  const made = await readTile({ path }, SIDE);
  t.deepEqual(made.data, inverted ? original.data.map((value) => 255 - value) : original.data, file);
};

test('each tile is altered, unreadable ones are left out, names and labels stay with their tiles', async (t) => {
  const plan = await planOf(t);
  const { open, seen } = inverter();
  const parts = [];
  const { tiles, manifest, seconds } = await preparedTiles(plan, { key: 'x', digest: 'd' }, open, (part) =>
    parts.push(part),
  );
  t.deepEqual(
    tiles.map(({ file }) => file),
    [0, 1, 2, 3, 5, 6, 7, 8].map((i) => `tile${i}.png`),
  );
  for (const tile of tiles) await same(t, plan, tile, true);
  const listed = await listTiles({ tiles: manifest });
  t.deepEqual(
    listed.tiles.map(({ path, labels }) => [path, labels]),
    tiles.map(({ path, labels }) => [path, labels]),
  );
  // Training sorts by name: it must come to the order of the originals.
  t.deepEqual(
    tiles.map(({ path }) => path),
    tiles.map(({ path }) => path).sort(),
  );
  t.true(seconds > 0);
  t.is(parts.at(-1), 8 / 9);
  t.deepEqual(seen, { opened: 1, tiles: 8, disposed: 1 });
});

test('the source stays as it is where the transform says so', async (t) => {
  const plan = await planOf(t);
  const { open, seen } = inverter({ keepsSource: true });
  const { tiles } = await preparedTiles(plan, { key: 'x', digest: 'd' }, open, () => undefined);
  for (const tile of tiles) await same(t, plan, tile, tile.labels.site === 'B');
  t.is(seen.tiles, 5);
});

test('made once; again for other settings; a failure leaves nothing that passes for whole', async (t) => {
  const plan = await planOf(t);
  const make = (digest, transform) =>
    preparedTiles(plan, { key: 'x', digest }, transform.open, () => undefined);
  const broken = inverter({ failAt: 3 });
  await t.throwsAsync(make('d', broken), { message: 'broken' });
  t.is(broken.seen.disposed, 1);
  const folder = join(plan.settings.out, 'tiles/x');
  t.false(existsSync(join(folder, 'manifest.csv')));
  // A translator's training would be here: for the same settings it is kept.
  await mkdir(join(folder, 'translator'));
  const first = inverter();
  await make('d', first);
  t.true(existsSync(join(folder, 'translator')));
  const second = inverter();
  await make('d', second);
  t.deepEqual([first.seen.opened, second.seen.opened], [1, 0]);
  const third = inverter();
  await make('e', third);
  t.is(third.seen.opened, 1);
  t.false(existsSync(join(folder, 'translator')));
  t.is(JSON.parse(await readFile(join(folder, 'prepared.json'), 'utf8')).digest, 'e');
});

test('the time left follows from the runs that are over', (t) => {
  const clock = new Clock([ROWS.colour, ROWS.none, ROWS.lmc, ROWS.lmc]);
  t.is(clock.count().secondsLeft, null);
  clock.end(1);
  t.is(clock.count().secondsLeft, null, 'no training is over');
  clock.end(100);
  t.deepEqual(clock.count(), { done: 2, total: 4, secondsLeft: 200 });
  clock.end(50);
  t.is(clock.count().secondsLeft, 75);
  clock.end(undefined);
  t.deepEqual(clock.count(), { done: 4, total: 4, secondsLeft: 0 });
});
