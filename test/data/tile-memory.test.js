// Invariant: a block serves other tiles once all of its tiles were given back; no memory is lent twice at a time.
import test from 'ava';
import { TileMemory } from '../../lib/data/tile-memory.js';

const places = (tiles) => tiles.map(({ buffer, byteOffset }) => [buffer, byteOffset]);

test('tiles of a batch lie side by side, and the next batch where they lay', (t) => {
  const memory = new TileMemory(300, 4);
  const first = [1, 2, 3, 4].map(() => memory.take(300));
  t.deepEqual(
    places(first).map(([buffer, offset]) => [buffer === first[0].buffer, offset]),
    [0, 300, 600, 900].map((offset) => [true, offset]),
  );
  for (const tile of first) memory.giveBack(tile);
  t.deepEqual(places([1, 2, 3, 4].map(() => memory.take(300))), places(first));
});

test("while one tile is read its block is nobody else's, however often another is given back", (t) => {
  const memory = new TileMemory(300, 2);
  const [read, done] = [memory.take(300), memory.take(300)];
  for (let i = 0; i < 5; i++) memory.giveBack(done);
  const later = Array.from({ length: 20 }, () => memory.take(300));
  t.false(later.some(({ buffer }) => buffer === read.buffer));
  memory.giveBack(read);
  const again = Array.from({ length: 2 }, () => memory.take(300));
  t.true(again.every(({ buffer }) => buffer === read.buffer));
});

test('never two tiles in one place, in whatever order they come back', (t) => {
  const memory = new TileMemory(8, 3);
  const lent = new Map();
  let chance = 1;
  for (let step = 0; step < 3000; step++) {
    chance = (chance * 16807) % 2147483647;
    if (chance % 2 === 0 || lent.size === 0) {
      const tile = memory.take(8);
      tile.fill(step & 255);
      lent.set(tile, step & 255);
    } else {
      const [tile, value] = [...lent][chance % lent.size];
      t.true(tile.every((byte) => byte === value));
      memory.giveBack(tile);
      lent.delete(tile);
    }
  }
});

test('other sizes have memory of their own, and giving back what is not lent does nothing', (t) => {
  const memory = new TileMemory(300, 4);
  const other = memory.take(301);
  t.is(other.length, 301);
  memory.giveBack(other);
  memory.giveBack(new Uint8Array(300));
  t.not(memory.take(300).buffer, other.buffer);
  t.is(new TileMemory(2 ** 27, 64).take(2 ** 27).buffer.byteLength, 2 ** 27);
});
