// Invariant: bytes that arrived are not fetched again, and bytes that were altered are not kept.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { installRelease } from '../../lib/libtorch/install.js';
import { listLibTorch, verifyLibTorch } from '../../lib/libtorch/manifest.js';
import { fakeRelease, serve, temporary, wheelFiles, world } from './fakes.js';

test('a download that is cut off continues where it stopped, within a call and in the next', async (t) => {
  const environment = world();
  const fake = fakeRelease('2.13.0', { ...wheelFiles('2.13.0'), 'torch/lib/libpad.so': 'ab'.repeat(40_000) });
  const half = Math.floor(fake.bytes.length / 2);
  const server = await serve(t, fake.bytes, (_, response, count) => {
    if (count !== 1) return false;
    response.writeHead(200, { 'content-length': fake.bytes.length });
    response.write(fake.bytes.subarray(0, half), () => setTimeout(() => response.destroy(), 50));
    return true;
  });
  const installed = await installRelease(fake.release, { environment, from: server.url });
  t.deepEqual(
    server.requests.map(({ range }) => range),
    [undefined, `bytes=${half}-`],
  );
  t.is(decodeURIComponent(server.requests[0].url), `/${fake.file}`);
  t.like(await verifyLibTorch({ environment, name: installed.name }), { missing: [], changed: [] });

  const later = world();
  mkdirSync(join(later.STAINFOLD_CACHE, 'downloads'));
  writeFileSync(join(later.STAINFOLD_CACHE, 'downloads', `${fake.file}.part`), fake.bytes.subarray(0, 1000));
  await installRelease(fake.release, {
    environment: later,
    from: `${server.url}/wheels/${encodeURIComponent(fake.file)}`,
  });
  t.is(server.requests.at(-1).range, 'bytes=1000-');
  t.is(decodeURIComponent(server.requests.at(-1).url), `/wheels/${fake.file}`);
  t.false(existsSync(join(later.STAINFOLD_CACHE, 'downloads')));
});

test('a complete .part needs no more bytes; a server without ranges starts anew', async (t) => {
  const fake = fakeRelease();
  const complete = world();
  const part = (environment, bytes) => {
    mkdirSync(join(environment.STAINFOLD_CACHE, 'downloads'));
    writeFileSync(join(environment.STAINFOLD_CACHE, 'downloads', `${fake.file}.part`), bytes);
  };
  part(complete, fake.bytes);
  const ranged = await serve(t, fake.bytes);
  await installRelease(fake.release, { environment: complete, from: ranged.url });
  t.is(ranged.requests.length, 1);

  const plain = world();
  part(plain, fake.bytes.subarray(0, 100));
  const rangeless = await serve(t, fake.bytes, (_, response) => {
    response.writeHead(200, { 'content-length': fake.bytes.length }).end(fake.bytes);
    return true;
  });
  await installRelease(fake.release, { environment: plain, from: rangeless.url });
  t.is((await listLibTorch(plain)).length, 1);
});

test('what a mirror alters is refused and not kept; a refusal says what the server said', async (t) => {
  const environment = world();
  const fake = fakeRelease();
  const altered = Buffer.from(fake.bytes);
  altered[100] ^= 1;
  const liar = await serve(t, altered);
  await t.throwsAsync(installRelease(fake.release, { environment, from: liar.url }), {
    code: 'STAINFOLD_LIBTORCH_DIGEST',
  });
  t.deepEqual(await readdir(join(environment.STAINFOLD_CACHE, 'downloads')), []);
  const absent = await serve(t, fake.bytes, (_, response) => response.writeHead(404).end() || true);
  await t.throwsAsync(installRelease(fake.release, { environment, from: absent.url }), {
    code: 'STAINFOLD_LIBTORCH_INSTALL',
    message: /answered 404/,
  });
  t.is(absent.requests.length, 1, 'a refusal is not asked again');
  const gone = await serve(t, fake.bytes);
  await gone.close();
  await t.throwsAsync(installRelease(fake.release, { environment, from: gone.url }), {
    code: 'STAINFOLD_LIBTORCH_INSTALL',
    message: /could not be downloaded: .*ECONNREFUSED/,
  });
});

test.serial('without pip the package index is asked, here a mirror, as JSON and as HTML', async (t) => {
  const fake = fakeRelease();
  const { PATH, PIP_INDEX_URL } = process.env;
  t.teardown(() => {
    process.env.PATH = PATH;
    if (PIP_INDEX_URL === undefined) delete process.env.PIP_INDEX_URL;
    else process.env.PIP_INDEX_URL = PIP_INDEX_URL;
  });
  process.env.PATH = temporary('no-python');
  const href = `../../files/${encodeURIComponent(fake.file)}`;
  for (const [type, page] of [
    [
      'application/vnd.pypi.simple.v1+json',
      JSON.stringify({ files: [{ url: '../../files/other.whl' }, { url: href }] }),
    ],
    ['text/html', `<a href="../../files/other.whl">x</a><a href="${href}#sha256=00">y</a>`],
  ]) {
    const index = await serve(t, fake.bytes, (request, response) => {
      if (!request.url.startsWith('/simple/')) return false;
      response.writeHead(200, { 'content-type': type }).end(page);
      return true;
    });
    process.env.PIP_INDEX_URL = `${index.url}/simple/`;
    const environment = world();
    await installRelease(fake.release, { environment });
    t.deepEqual(
      index.requests.map(({ url }) => decodeURIComponent(url)),
      ['/simple/stainfold-test-no-such/', `/files/${fake.file}`],
    );
    t.is((await listLibTorch(environment)).length, 1);
  }
  const empty = await serve(t, Buffer.from('<html></html>'));
  process.env.PIP_INDEX_URL = empty.url;
  await t.throwsAsync(installRelease(fake.release, { environment: world() }), {
    code: 'STAINFOLD_LIBTORCH_INSTALL',
    message: /could not be had: pip: there is no python3.*HTTPS: the package index does not list it/,
  });
});
