// Invariant: whatever is given to the facade, it answers or rejects with a StainfoldError: never with a defect's TypeError.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import * as stainfold from '../../lib/index.js';
import { StainfoldError } from '../../lib/index.js';
import { temporaryFolder } from '../temporary.js';

const folder = temporaryFolder('fuzz');
const nowhere = join(folder, 'nowhere');

/** Calls that read options before anything else. A path that exists nowhere ends what options alone do not. */
const CALLS = {
  train: (options) => stainfold.train({ tiles: nowhere, out: join(folder, 'out'), ...options }),
  loadEncoder: (options) => stainfold.loadEncoder(nowhere, options),
  evaluate: (options) => stainfold.evaluate({ tiles: nowhere, ...options }),
  generatePhantom: (options) => stainfold.generatePhantom({ out: join(folder, 'out'), tiles: 0, ...options }),
  listTiles: (options) => stainfold.listTiles({ tiles: nowhere, ...options }),
  audit: (options) => stainfold.audit({ tiles: nowhere, ...options }),
  verifyLibTorch: (options) => stainfold.verifyLibTorch({ name: 'none', ...options }),
  planSetup: (options) => stainfold.planSetup({ variant: 'none', ...options }),
};
const NAMES = [
  'tiles',
  'out',
  'epochs',
  'seed',
  'device',
  'threads',
  'where',
  'manifold',
  'signal',
  'onProgress',
  'batchSize',
  'libtorch',
];

/** undefined when the outcome is a StainfoldError, else what came instead. A call must not succeed: there is nothing to work on. */
async function surprise(call, options) {
  try {
    await call(options);
    return 'it succeeded';
  } catch (error) {
    return error instanceof StainfoldError ? undefined : `${error?.name}: ${error?.message}`;
  }
}

for (const [name, call] of Object.entries(CALLS)) {
  test.serial(`${name}: any options`, async (t) => {
    const value = fc.anything({ withBigInt: true, withTypedArray: true, withDate: true, maxDepth: 2 });
    // `tiles` and `out` stay where nothing is; what names them is of another type.
    const options = fc.dictionary(fc.oneof(fc.constantFrom(...NAMES), fc.string({ maxLength: 8 })), value, {
      maxKeys: 3,
    });
    const property = fc.asyncProperty(options, async (given) => {
      for (const path of ['tiles', 'out']) if (typeof given[path] === 'string') given[path] = nowhere;
      t.is(await surprise(call, given), undefined);
    });
    await fc.assert(property, { numRuns: 60, seed: 1 });
  });
}

test.serial('a manifest of any text: tiles, or what is wrong with it', async (t) => {
  const path = join(folder, 'tiles.csv');
  await writeFile(join(folder, 'a.png'), '');
  const cell = fc.oneof(
    fc.string({ maxLength: 6 }),
    fc.constantFrom('file', 'site', '"', '""', '\n', '\r\n', ',', 'a.png', '\ufeff', '\0'),
  );
  const text = fc.array(cell, { maxLength: 30 }).map((cells) => cells.join(''));
  const headed = text.map((rest) => `file,site\na.png,A\n${rest}`);
  let listed = 0;
  const property = fc.asyncProperty(fc.oneof(text, headed), async (content) => {
    await writeFile(path, content);
    const outcome = await surprise((options) => stainfold.listTiles(options), { tiles: path });
    if (outcome === 'it succeeded') listed++;
    else t.is(outcome, undefined, JSON.stringify(content));
  });
  await fc.assert(property, { numRuns: 300, seed: 1 });
  t.true(listed > 5 && listed < 295, `${listed} of 300 were manifests`);
});

test.serial('a tile of any bytes is unreadable, not fatal', async (t) => {
  const whole = await stainfold.encodeTile({
    data: new Uint8Array(64 * 64 * 3).map((_, i) => (i * 7) % 251),
    width: 64,
    height: 64,
    channels: 3,
  });
  const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 });
  const cut = fc.nat(whole.length);
  const property = fc.asyncProperty(damage, cut, fc.boolean(), async (changes, length, cutOff) => {
    const bytes = Buffer.from(cutOff ? whole.subarray(0, length) : whole);
    for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
    try {
      const pixels = await stainfold.readTile(bytes, 64);
      t.is(pixels.length ?? pixels.data.length, 64 * 64 * 3); // the damage was in what a decoder skips
    } catch (error) {
      t.true(error instanceof StainfoldError, String(error));
    }
  });
  await fc.assert(property, { numRuns: 200, seed: 1 });
});

test('planted: a TypeError would be seen', async (t) => {
  t.regex(await surprise(() => null.tiles, {}), /^TypeError/);
  t.is(await surprise(() => 1, {}), 'it succeeded');
});
