import test from 'ava';
import { ERRORS } from '../../lib/errors.js';
import { addon, manifold, pixels, SIDE, throwsCode } from './fixtures.js';

test('status says what it runs on', (t) => {
  const status = addon.status();
  t.regex(status.version, /^\d+\.\d+\.\d+/);
  t.regex(status.libtorch, /^2\.\d+\.\d+$/);
  t.true(status.threads >= 1);
  t.is(status.cudaUnavailable === '', status.devices.length > 0);
});

test.serial('threads can be set and are checked', (t) => {
  const before = addon.status().threads;
  addon.setThreads(1);
  t.is(addon.status().threads, 1);
  addon.setThreads(before);
  t.is(addon.status().threads, before);
  for (const threads of [-1, 1.5, 1e6, '2', undefined]) {
    t.throws(() => addon.setThreads(threads), { code: 'STAINFOLD_OPTION', message: /threads/ });
  }
});

test('architectures have names and latents', (t) => {
  const rows = addon.architectures();
  t.deepEqual(
    rows.map(({ name }) => name),
    ['tiny', 'small', 'base'],
  );
  t.true(rows.every(({ latent }) => latent >= 8));
});

test('every error carries a code of the table, one line of fact, and its remedy', async (t) => {
  const failures = [
    () => addon.metrics.accuracy(Int32Array.of(1), Int32Array.of(1, 2)),
    () => addon.metrics.accuracy([1], [1]),
    () => addon.phantom.render({ tissue: 99, size: SIDE, mpp: 0.5, seed: 1, labs: [0] }),
    () => addon.phantom.render({ tissue: 0, size: SIDE, mpp: 0.5, seed: 1, labs: [64] }),
    () => addon.phantom.render({ tissue: 0, size: SIDE, mpp: 0.5, seed: 1, labs: [] }),
    () => addon.phantom.render(null),
    () => addon.renderManifold({ ...manifold, seed: 1, labs: 0 }, pixels(1), 1, SIDE),
    () => new addon.Trainer(),
    () => new addon.Embedder({ model: 'tiny' }),
  ];
  for (const call of failures) {
    const error = await t.throwsAsync(async () => call());
    t.is(error.name, 'StainfoldError', String(error));
    t.true(Object.hasOwn(ERRORS, error.code));
    t.false(error.message.includes('\n'));
    t.true(error.message.endsWith(ERRORS[error.code]));
  }
});

test('a size beyond the machine is a memory error, not a crash', async (t) => {
  // 2^20 x 2^20 concentrations are 8 TiB: more than any address space hands out at once.
  const call = () => addon.phantom.render({ tissue: 5, size: 2 ** 20, mpp: 0.5, seed: 1, labs: [0] });
  const error = await t.throwsAsync(call);
  t.true(['STAINFOLD_MEMORY', 'STAINFOLD_OPTION'].includes(error.code), `${error.code}: ${error.message}`);
});

// Serial: it changes what every other test shares.
test.serial('an error factory that fails does not take the process with it', async (t) => {
  const { StainfoldError } = await import('../../lib/errors.js');
  const restore = () => addon.initialize({ createError: (code, detail) => new StainfoldError(code, detail) });
  addon.initialize({
    createError() {
      throw new Error('no errors today');
    },
  });
  try {
    t.throws(() => addon.metrics.accuracy([1], [1]), { message: 'no errors today' });
    await t.throwsAsync(() => addon.phantom.render(null), { message: 'no errors today' });
    const late = addon.phantom.render({ tissue: 99, size: SIDE, mpp: 0.5, seed: 1, labs: [0] });
    await t.throwsAsync(late, { message: 'no errors today' });
  } finally {
    restore();
  }
  t.throws(() => addon.initialize({}), { instanceOf: TypeError });
  await throwsCode(t, () => addon.metrics.accuracy([1], [1]), 'STAINFOLD_DTYPE');
});
