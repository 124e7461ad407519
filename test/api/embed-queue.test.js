// Invariant: whoever shares a batch with whom, every caller gets its own tiles' embeddings, in turn, and no other's trouble.
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { EmbedQueue } from '../../lib/api/embed-queue.js';
import { StainfoldError } from '../../lib/index.js';

const MAX = 32;

/** Embeds a tile of one byte as that byte; `during(tiles)` may wait or throw. */
function queueOf({ maxBatch = MAX, maxWaitMs = 0, during = () => turn() } = {}) {
  const batches = [];
  let running = 0;
  const queue = new EmbedQueue(
    async (tiles) => {
      batches.push(tiles.map(([value]) => value));
      running++;
      queue.most = Math.max(queue.most, running);
      try {
        await during(tiles);
      } finally {
        running--;
      }
      return Float32Array.from(tiles, ([value]) => value);
    },
    { maxBatch, maxWaitMs, latent: 1 },
  );
  queue.most = 0;
  return { queue, batches };
}

/** One call: its values embedded, or what it rejects with. `taken` counts the tiles it was let bring. */
async function call(queue, values, state = {}) {
  const rows = [];
  const caller = queue.join((part, first) => {
    for (const [i, value] of part.entries()) rows[first + i] = value;
  });
  state.caller = caller;
  state.taken = 0;
  try {
    for await (const value of values) {
      state.taken++;
      await caller.add(Uint8Array.of(value));
    }
    await caller.end();
  } finally {
    await caller.leave();
  }
  return rows;
}

const range = (count, from = 0) => Array.from({ length: count }, (_, i) => (from + i) & 255);

test('100 calls at once share batches, and each gets its own', async (t) => {
  const { queue, batches } = queueOf();
  const lists = range(100).map((k) => range(1 + (k % 3), k));
  t.deepEqual(await Promise.all(lists.map((list) => call(queue, list))), lists);
  const tiles = lists.flat().length;
  t.is(batches.flat().length, tiles);
  t.true(
    batches.every((batch) => batch.length <= MAX),
    'no batch above the limit',
  );
  t.true(batches.length <= Math.ceil(tiles / MAX) + 6, `${batches.length} batches for ${tiles} tiles`);
  t.true(queue.most <= 2);
});

test('a lone tile goes at the end of the turn it came in', async (t) => {
  const { queue, batches } = queueOf();
  const done = call(queue, [7]);
  for (let i = 0; i < 3 && batches.length === 0; i++) await turn();
  t.deepEqual(batches, [[7]]);
  t.deepEqual(await done, [7]);
});

test('one call alone: full batches, the next handed over while one runs', async (t) => {
  const { queue, batches } = queueOf({ maxBatch: 8 });
  const values = range(43);
  t.deepEqual(await call(queue, values), values);
  t.deepEqual(
    batches.map(({ length }) => length),
    [8, 8, 8, 8, 8, 3],
  );
  t.is(queue.most, 2);
});

test('a call of 10,000 tiles does not starve a call of one', async (t) => {
  const { queue, batches } = queueOf();
  const hog = call(queue, range(10_000));
  while (batches.length < 5) await turn();
  const before = batches.length;
  t.deepEqual(await call(queue, [200]), [200]);
  t.true(batches.length - before <= 4, `${batches.length - before} batches went first`);
  t.is((await hog).length, 10_000);
});

test('40 endless calls of single tiles do not starve a long one, nor it them', async (t) => {
  const { queue, batches } = queueOf({ maxBatch: 8 });
  let ended = false;
  const singles = range(40).map(async (value) => {
    let count = 0;
    for (; !ended; count++) await call(queue, [value]);
    return count;
  });
  const long = await call(queue, range(100, 100));
  ended = true;
  t.deepEqual(long, range(100, 100));
  const counts = await Promise.all(singles);
  t.true(Math.min(...counts) > 0);
  t.true(Math.max(...counts) <= 2 * Math.min(...counts) + 2, String(counts));
  t.true(batches.length > 0);
});

test('a stream is read no faster than the batches go', async (t) => {
  const gate = manual();
  const { queue } = queueOf({ during: () => gate.promise });
  const state = {};
  const running = call(queue, range(1000), state);
  for (let i = 0; i < 50; i++) await turn();
  t.true(state.taken <= 2 * MAX + 1, `${state.taken} taken while nothing moves`);
  gate.resolve();
  t.is((await running).length, 1000);
});

test('calls that bring nothing hold nobody up', async (t) => {
  const { queue } = queueOf();
  const gate = manual();
  async function* silent() {
    yield 1;
    await gate.promise;
  }
  const stalled = range(20).map(() => call(queue, silent()));
  for (let i = 0; i < 5; i++) await turn();
  t.is((await call(queue, range(100))).length, 100);
  gate.resolve();
  for (const rows of await Promise.all(stalled)) t.deepEqual(rows, [1]);
});

test('maxWaitMs: tiles wait for others, and no longer', async (t) => {
  const { queue, batches } = queueOf({ maxWaitMs: 1000 });
  const begun = performance.now();
  const first = call(queue, [1]);
  await sleep(20);
  await Promise.all([first, call(queue, [2])]);
  t.deepEqual(batches, [[1, 2]]);
  t.true(performance.now() - begun >= 990);
  const full = performance.now();
  await call(queue, range(MAX));
  t.true(performance.now() - full < 900, 'a full batch does not wait');
});

test('the error of one call is not that of another', async (t) => {
  const POISON = 99;
  const during = async (tiles) => {
    await turn();
    if (tiles.some(([value]) => value === POISON)) throw new Error('poisoned');
  };
  const { queue } = queueOf({ during });
  const calls = [range(40), [POISON], range(3), range(50, 120)].map((list) => call(queue, list));
  const settled = await Promise.allSettled(calls);
  t.deepEqual(
    settled.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  );
  t.is(settled[1].reason.message, 'poisoned');
  t.deepEqual(settled[0].value, range(40));
  t.deepEqual(settled[3].value, range(50, 120));
});

test('a call that is given up while it waits is never embedded, and settles once its tiles are not read any more', async (t) => {
  const gate = manual();
  const { queue, batches } = queueOf({ maxBatch: 4, during: () => gate.promise });
  const running = call(queue, range(8));
  for (let i = 0; i < 5; i++) await turn();
  const state = {};
  const waiting = t.throwsAsync(call(queue, [77], state), { message: 'enough' });
  for (let i = 0; i < 5; i++) await turn();
  state.caller.fail(new Error('enough'));
  await waiting;
  gate.resolve();
  await running;
  t.false(batches.flat().includes(77));
  let settled = false;
  const held = manual();
  const second = queueOf({ during: () => held.promise });
  const under = {};
  const aborted = call(second.queue, [5], under).catch(() => {
    settled = true;
  });
  for (let i = 0; i < 5; i++) await turn();
  under.caller.fail(new Error('enough'));
  for (let i = 0; i < 5; i++) await turn();
  t.false(settled, 'its tile is still being read');
  held.resolve();
  await aborted;
  t.true(settled);
});

test('closing rejects every call, those under way and those that wait', async (t) => {
  const gate = manual();
  const gone = new StainfoldError('STAINFOLD_DISPOSED', 'gone');
  const { queue } = queueOf({ maxBatch: 2, during: () => gate.promise });
  const calls = range(5).map((value) =>
    t.throwsAsync(call(queue, [value, value]), { code: 'STAINFOLD_DISPOSED' }),
  );
  for (let i = 0; i < 5; i++) await turn();
  queue.close(gone);
  gate.resolve();
  await Promise.all(calls);
});

function manual() {
  let resolve;
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
