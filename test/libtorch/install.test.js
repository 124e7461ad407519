// Invariant: the cache holds complete installs only, and only of files whose digest was the expected one.
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { installRelease } from '../../lib/libtorch/install.js';
import { listLibTorch, removeLibTorch, verifyLibTorch } from '../../lib/libtorch/manifest.js';
import { RELEASES, releaseFor } from '../../lib/libtorch/pins.js';
import { pipArguments } from '../../lib/libtorch/pip.js';
import { resolveLibTorch } from '../../lib/libtorch/resolve.js';
import { archiveFiles, fakeRelease, serve, temporary, wheelFiles, write, zip } from './fakes.js';

const world = () => ({ STAINFOLD_CACHE: temporary('cache'), PATH: '/nowhere' });
const everything = async (folder) => (await readdir(folder, { recursive: true })).sort();

/** A folder that holds the fake wheel. */
function wheelhouse(fake) {
  return write(temporary('wheels'), { [fake.file]: fake.bytes });
}

function cut(fake) {
  const folder = wheelhouse(fake);
  truncateSync(join(folder, fake.file), fake.bytes.length - 1);
  return folder;
}

test('installs from a folder of wheels: what C++ needs and nothing else, resolvable, verified', async (t) => {
  const environment = world();
  const fake = fakeRelease();
  const seen = [];
  const installed = await installRelease(fake.release, {
    environment,
    from: wheelhouse(fake),
    onProgress: (progress) => seen.push(progress),
  });
  t.like(installed, { name: '2.13.0-cpu', version: '2.13.0', variant: 'cpu' });
  const files = (await everything(installed.folder)).filter((path) =>
    statSync(join(installed.folder, path)).isFile(),
  );
  t.deepEqual(files, [
    'stainfold.json',
    'torch-1.dist-info/licenses/LICENSE',
    'torch/include/ATen/ATen.h',
    'torch/lib/libtorch_cpu.so',
    'torch/version.py',
  ]);
  t.is(
    installed.bytes,
    files.slice(1).reduce((sum, path) => sum + statSync(join(installed.folder, path)).size, 0),
  );
  t.is(resolveLibTorch({ environment }).root, installed.root);
  t.like(await verifyLibTorch({ environment }), { files: 4, missing: [], changed: [] });
  for (const stage of ['download', 'unpack']) {
    const steps = seen.filter((progress) => progress.stage === stage);
    t.true(steps.length > 0);
    t.is(steps.at(-1).done, steps.at(-1).total);
    t.true(
      steps.every(({ done }, i) => i === 0 || done >= steps[i - 1].done),
      'progress never goes back',
    );
  }
  t.deepEqual(await readdir(environment.STAINFOLD_CACHE), ['libtorch']);
});

test('an install that is there returns at once; force replaces it', async (t) => {
  const environment = world();
  const fake = fakeRelease();
  const from = wheelhouse(fake);
  const first = await installRelease(fake.release, { environment, from });
  writeFileSync(join(first.lib, 'libtorch_cpu.so'), 'damaged');
  const again = await installRelease(fake.release, {
    environment,
    onProgress: () => t.fail('there is nothing to do'),
  });
  t.is(again.folder, first.folder);
  await installRelease(fake.release, { environment, from, force: true });
  t.like(await verifyLibTorch({ environment }), { missing: [], changed: [] });
});

test('verify finds changed and missing files, of equal size too; quick still looks into the libraries', async (t) => {
  const environment = world();
  const fake = fakeRelease();
  const { folder } = await installRelease(fake.release, { environment, from: wheelhouse(fake) });
  const flip = (path) => {
    const bytes = readFileSync(join(folder, path));
    bytes[3] ^= 1;
    writeFileSync(join(folder, path), bytes);
  };
  flip('torch/include/ATen/ATen.h');
  t.deepEqual((await verifyLibTorch({ environment, quick: true })).changed, []);
  flip('torch/lib/libtorch_cpu.so');
  t.deepEqual((await verifyLibTorch({ environment, quick: true })).changed, ['torch/lib/libtorch_cpu.so']);
  renameSync(join(folder, 'torch-1.dist-info'), join(folder, 'elsewhere'));
  const report = await verifyLibTorch({ environment, name: '2.13.0-cpu' });
  t.deepEqual(report.changed, ['torch/include/ATen/ATen.h', 'torch/lib/libtorch_cpu.so']);
  t.deepEqual(report.missing, ['torch-1.dist-info/licenses/LICENSE']);
});

test('list and remove', async (t) => {
  const environment = world();
  t.deepEqual(await listLibTorch(environment), []);
  const fake = fakeRelease();
  await installRelease(fake.release, { environment, from: wheelhouse(fake) });
  t.deepEqual(
    (await listLibTorch(environment)).map(({ name }) => name),
    ['2.13.0-cpu'],
  );
  await t.throwsAsync(removeLibTorch('2.99.0-cpu', environment), {
    code: 'STAINFOLD_LIBTORCH_MISSING',
    message: /named '2\.99\.0-cpu'.*installed: 2\.13\.0-cpu/,
  });
  await t.throwsAsync(removeLibTorch('../libtorch/2.13.0-cpu', environment), {
    code: 'STAINFOLD_LIBTORCH_MISSING',
  });
  await removeLibTorch('2.13.0-cpu', environment);
  t.deepEqual(await everything(environment.STAINFOLD_CACHE), ['libtorch']);
});

test('a LibTorch that stainfold did not install cannot be verified', async (t) => {
  const LIBTORCH = write(temporary(), wheelFiles('2.13.0'));
  await t.throwsAsync(verifyLibTorch({ environment: { ...world(), LIBTORCH } }), {
    code: 'STAINFOLD_LIBTORCH_MISSING',
    message: /was not installed by stainfold/,
  });
});

test('a wheel with another digest is refused and nothing is installed', async (t) => {
  const environment = world();
  const fake = fakeRelease();
  const error = await t.throwsAsync(installRelease(fake.release, { environment, from: cut(fake) }), {
    code: 'STAINFOLD_LIBTORCH_DIGEST',
  });
  t.true(error.message.includes(fake.release.wheels[0].sha256));
  t.deepEqual(await listLibTorch(environment), []);
});

test('from: an unpacked LibTorch of either layout, with the NVIDIA libraries beside it', async (t) => {
  const environment = world();
  const { release } = fakeRelease();
  const cuda = write(temporary(), {
    ...wheelFiles('2.14.1', '13.0'),
    'nvidia/cu13/lib/libcudart.so.13': 'cudart',
  });
  const seen = [];
  const installed = await installRelease(release, {
    environment,
    from: cuda,
    onProgress: (progress) => seen.push(progress),
  });
  t.is(installed.name, '2.14.1-cu130');
  const bytes = 2 * installed.bytes; // copied, and read back
  t.true(seen.every(({ stage, done, total }) => stage === 'unpack' && done <= total && total === bytes));
  t.is(seen.at(-1).done, bytes);
  t.true(existsSync(join(installed.lib, '../../nvidia/cu13/lib/libcudart.so.13')));
  t.false(existsSync(join(installed.root, 'nn')));
  const archive = write(temporary(), archiveFiles('2.12.0'));
  t.is((await installRelease(release, { environment, from: archive })).name, '2.12.0-cpu');
});

test('from: an archive without a pinned digest is accepted if its version is supported, and marked', async (t) => {
  const environment = world();
  const { release } = fakeRelease();
  const folder = write(temporary(), {
    'good.zip': zip(archiveFiles('2.12.0')),
    'old.zip': zip(archiveFiles('2.5.0')),
    'other.zip': zip({ 'readme.txt': 'hello' }),
    'torn.zip': zip(archiveFiles('2.12.0')).subarray(0, 200),
  });
  const { folder: installed } = await installRelease(release, {
    environment,
    from: join(folder, 'good.zip'),
  });
  const manifest = JSON.parse(readFileSync(join(installed, 'stainfold.json'), 'utf8'));
  t.like(manifest.archives[0], { file: 'good.zip', pinned: false });

  const attempt = (name) => installRelease(release, { environment, from: join(folder, name) });
  await t.throwsAsync(attempt('old.zip'), { code: 'STAINFOLD_LIBTORCH_VERSION' });
  await t.throwsAsync(attempt('other.zip'), {
    code: 'STAINFOLD_LIBTORCH_INSTALL',
    message: /held no LibTorch/,
  });
  await t.throwsAsync(attempt('torn.zip'), {
    code: 'STAINFOLD_LIBTORCH_INSTALL',
    message: /cannot be unpacked/,
  });
  await t.throwsAsync(attempt('none.zip'), { code: 'STAINFOLD_FILE_NOT_FOUND' });
  await t.throwsAsync(installRelease(release, { environment, from: temporary('empty') }), {
    code: 'STAINFOLD_LIBTORCH_INSTALL',
    message: /holds neither a LibTorch nor any of torch-2\.13\.0/,
  });
  t.deepEqual(
    (await listLibTorch(environment)).map(({ name }) => name),
    ['2.12.0-cpu'],
  );
});

test('archives that are damaged inside or reach outside are refused', async (t) => {
  const environment = world();
  const { release } = fakeRelease();
  const base = archiveFiles('2.13.0');
  const library = 'libtorch/lib/libtorch_cpu.so';
  const folder = write(temporary(), {
    'checksum.zip': zip({ ...base, [library]: { content: 'the library', crc: 1 } }),
    'climbing.zip': zip({ ...base, 'libtorch/lib/../../../evil': 'x' }),
    'link.zip': zip({
      ...base,
      'libtorch/lib/liblink.so': { content: '../../../../etc/passwd', mode: 0o120777 },
    }),
    'fine.zip': zip({
      ...base,
      [library]: { content: 'the library', mode: 0o100755 },
      'libtorch/lib/liblink.so': { content: 'libtorch_cpu.so', mode: 0o120777 },
    }),
  });
  for (const [name, reason] of [
    ['checksum.zip', /wrong checksum/],
    ['climbing.zip', /cannot be unpacked: .*relative path/],
    ['link.zip', /links out of the archive/],
  ]) {
    const attempt = installRelease(release, { environment, from: join(folder, name) });
    await t.throwsAsync(attempt, { code: 'STAINFOLD_LIBTORCH_INSTALL', message: reason });
  }
  t.deepEqual(await listLibTorch(environment), []);
  const { lib } = await installRelease(release, { environment, from: join(folder, 'fine.zip') });
  t.like(await verifyLibTorch({ environment }), { files: 4, missing: [], changed: [] });
  t.is(readFileSync(join(lib, 'liblink.so'), 'utf8'), 'the library');
  t.is(statSync(join(lib, 'libtorch_cpu.so')).mode & 0o777, 0o755);
});

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
    message: /could not be had: pip: .*ENOENT.*HTTPS: the package index does not list it/,
  });
});

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

test('the pins are complete and well-formed', (t) => {
  t.deepEqual(
    RELEASES.map(({ variant }) => variant),
    ['cpu', 'cu130'],
  );
  for (const wheel of RELEASES.flatMap(({ wheels }) => wheels)) {
    t.regex(wheel.sha256, /^[0-9a-f]{64}$/);
    t.regex(
      wheel.file,
      /^[a-z0-9_]+-[0-9.]+(\+cpu)?-(cp311-cp311|py3-none)-manylinux\w+(\.manylinux\w+)?\.whl$/,
    );
    t.is(wheel.file.split('-')[0].replaceAll('_', '-'), wheel.project);
    t.is(wheel.file.split('-')[1], wheel.version);
    t.true(wheel.bytes > 10_000);
  }
  t.is(releaseFor('cpu').version, '2.13.0');
  t.is(releaseFor('cu130').wheels.length, 16);
  t.true(['cpu', 'cu130'].includes(releaseFor('auto').variant));
});

test('pip is asked for the wheel by its own tags, whatever Python it runs in', (t) => {
  const [torch] = releaseFor('cpu').wheels;
  const args = pipArguments(torch, '/d').join(' ');
  t.regex(
    args,
    /--only-binary=:all: --python-version 3\.11 --implementation cp --abi cp311 --platform manylinux_2_28_x86_64 /,
  );
  t.regex(
    args,
    /--extra-index-url https:\/\/download\.pytorch\.org\/whl\/cpu .*--dest \/d torch==2\.13\.0\+cpu$/,
  );
  const nvrtc = releaseFor('cu130').wheels.find(({ project }) => project === 'nvidia-cuda-nvrtc');
  t.regex(
    pipArguments(nvrtc, '/d').join(' '),
    /--platform manylinux2010_x86_64 --platform manylinux_2_12_x86_64/,
  );
});
