// Invariant: the cache holds complete installs only, and only of files whose digest was the expected one.
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { installRelease } from '../../lib/libtorch/install.js';
import { listLibTorch, verifyLibTorch } from '../../lib/libtorch/manifest.js';
import { resolveLibTorch } from '../../lib/libtorch/resolve.js';
import {
  archiveFiles,
  everything,
  fakeRelease,
  temporary,
  wheelFiles,
  wheelhouse,
  world,
  write,
  zip,
} from './fakes.js';

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
