// Invariant: what is said of an install is what its files are.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { installRelease } from '../../lib/libtorch/install.js';
import { listLibTorch, removeLibTorch, verifyLibTorch } from '../../lib/libtorch/manifest.js';
import { everything, fakeRelease, temporary, wheelFiles, wheelhouse, world, write } from './fakes.js';

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
