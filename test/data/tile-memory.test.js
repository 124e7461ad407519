// Invariant: memory serves another tile once it was given back, and never two at a time.
import test from 'ava';
import { giveBack, tileMemory } from '../../lib/data/tile-memory.js';

test('what was given back is lent again, once, for tiles of its size', (t) => {
  const first = tileMemory(300);
  giveBack(first);
  giveBack(first);
  t.not(tileMemory(301), first);
  t.is(tileMemory(300), first);
  t.not(tileMemory(300), first);
});

test("memory of others is nobody's to lend", (t) => {
  const theirs = new Uint8Array(302);
  giveBack(theirs);
  giveBack(tileMemory(303).subarray());
  t.not(tileMemory(302), theirs);
});

test('64 MiB wait at most', (t) => {
  const many = Array.from({ length: 70 }, () => tileMemory(2 ** 20));
  for (const memory of many) giveBack(memory);
  const again = new Set(Array.from({ length: 70 }, () => tileMemory(2 ** 20)));
  t.is(many.filter((memory) => again.has(memory)).length, 64);
});
