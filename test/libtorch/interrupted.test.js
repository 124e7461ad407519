// Invariant: an install that was stopped or killed never looks complete, and is not in the way of the next.
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { installRelease } from '../../lib/libtorch/install.js';
import { listLibTorch } from '../../lib/libtorch/manifest.js';
import { everything, fakeRelease, serve, wheelhouse, world } from './fakes.js';

test('a stop leaves nothing that looks complete, and what was downloaded is kept', async (t) => {
  const environment = world();
  const fake = fakeRelease();
  const reason = new Error('the user pressed Ctrl-C');
  const slow = await serve(t, fake.bytes, (_, response) => {
    response.writeHead(200, { 'content-length': fake.bytes.length });
    response.write(fake.bytes.subarray(0, 300));
    return true;
  });
  const stop = new AbortController();
  const install = installRelease(fake.release, {
    environment,
    from: slow.url,
    signal: stop.signal,
    onProgress: () => stop.abort(reason),
  });
  t.is(await t.throwsAsync(install), reason);
  t.deepEqual(await listLibTorch(environment), []);
  t.deepEqual(await everything(environment.STAINFOLD_CACHE), [
    'downloads',
    `downloads/${fake.file}.part`,
    'libtorch',
  ]);

  const during = new AbortController();
  const unpacking = installRelease(fake.release, {
    environment,
    from: wheelhouse(fake),
    signal: during.signal,
    onProgress: ({ stage }) => stage === 'unpack' && during.abort(reason),
  });
  t.is(await t.throwsAsync(unpacking), reason);
  t.deepEqual(await readdir(join(environment.STAINFOLD_CACHE, 'libtorch')), []);
  await t.throwsAsync(installRelease(fake.release, { environment, signal: AbortSignal.abort(reason) }), {
    is: reason,
  });
});

test('a killed install leaves only what the next one sweeps away, and a second at the same time is refused', async (t) => {
  const environment = world();
  const fake = fakeRelease();
  const held = await serve(t, fake.bytes, (_, response) => {
    response.writeHead(200, { 'content-length': fake.bytes.length });
    response.write(fake.bytes.subarray(0, 300));
    return true;
  });
  const module = fileURLToPath(new URL('../../lib/libtorch/install.js', import.meta.url));
  const program = `
    const { installRelease } = await import(${JSON.stringify(module)});
    await installRelease(${JSON.stringify(fake.release)}, {
      environment: ${JSON.stringify(environment)}, from: '${held.url}', onProgress: () => console.log('downloading') });`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  await t.throwsAsync(installRelease(fake.release, { environment, from: wheelhouse(fake) }), {
    code: 'STAINFOLD_LOCKED',
    message: new RegExp(`process ${child.pid} `),
  });
  child.kill('SIGKILL');
  await new Promise((resolve) => child.on('close', resolve));
  t.deepEqual(await listLibTorch(environment), []);
  t.true((await readdir(join(environment.STAINFOLD_CACHE, 'libtorch'))).includes(`.staging-${child.pid}`));

  await installRelease(fake.release, { environment, from: wheelhouse(fake) });
  t.deepEqual(await readdir(environment.STAINFOLD_CACHE), ['libtorch']);
  t.deepEqual(await readdir(join(environment.STAINFOLD_CACHE, 'libtorch')), ['2.13.0-cpu']);
});
