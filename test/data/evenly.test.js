// Samples of a list: in step with it, and out of step with any period that it has.
import test from 'ava';
import { pickEvenly, pickScattered } from '../../lib/data/evenly.js';

const items = Array.from({ length: 1600 }, (_, i) => i);

test('pickScattered keeps the order, repeats itself, and sees every residue where pickEvenly skips some', (t) => {
  const drawn = pickScattered(items, 400);
  t.is(new Set(drawn).size, 400);
  t.deepEqual(
    drawn,
    [...drawn].sort((a, b) => a - b),
  );
  t.deepEqual(pickScattered(items, 400), drawn);
  const residues = (list) => new Set(list.map((i) => i % 6)).size;
  t.is(residues(drawn), 6);
  t.is(residues(pickEvenly(items, 400)), 3);
  t.deepEqual(pickScattered(items, 1600), items);
});
