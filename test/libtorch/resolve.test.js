// Invariant: option, LIBTORCH, cache, Python, in this order; a place that was named is never silently passed over.
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { compareVersions, inspectTree } from '../../lib/libtorch/layout.js';
import { installedTrees, resolveLibTorch } from '../../lib/libtorch/resolve.js';
import { archiveFiles, temporary, wheelFiles, write } from './fakes.js';

/** A cache with installs, and an environment that points to it and nowhere else. */
function world(installs = {}) {
  const cache = temporary();
  for (const [name, files] of Object.entries(installs)) write(join(cache, 'libtorch', name), files);
  return { STAINFOLD_CACHE: cache, PATH: '/nowhere' };
}

test('the option wins over LIBTORCH, LIBTORCH over the cache', (t) => {
  const option = write(temporary(), wheelFiles('2.11.0'));
  const variable = write(temporary(), wheelFiles('2.12.1'));
  const environment = { ...world({ '2.13.0-cpu': wheelFiles('2.13.0') }), LIBTORCH: variable };
  const pick = (options) => {
    const { version, source } = resolveLibTorch({ environment, ...options });
    return [version, source];
  };
  t.deepEqual(pick({ path: option }), ['2.11.0', 'option']);
  t.deepEqual(pick({}), ['2.12.1', 'LIBTORCH']);
  environment.LIBTORCH = undefined;
  t.deepEqual(pick({}), ['2.13.0', 'cache']);
});

test('both layouts are understood, from their root or from the folder around it', (t) => {
  const wheel = write(temporary(), wheelFiles('2.14.1', '13.0'));
  const archive = write(temporary(), archiveFiles('2.13.0'));
  for (const [folder, name, version, variant] of [
    [wheel, 'torch', '2.14.1', 'cu130'],
    [archive, 'libtorch', '2.13.0', 'cpu'],
  ]) {
    const root = join(folder, name);
    const expected = { root, lib: join(root, 'lib'), include: join(root, 'include'), version, variant };
    t.deepEqual(inspectTree(folder), expected);
    t.deepEqual(inspectTree(root), expected);
  }
});

test('a build without a local version shows by its other marks what it is', (t) => {
  const fromSource = write(temporary(), {
    ...wheelFiles('2.13.0'),
    'torch/version.py': "__version__ = '2.13.0a0'\ncuda: Optional[str] = '12.8'\n",
  });
  t.like(inspectTree(fromSource), { version: '2.13.0', variant: 'cu128' });
  const plain = write(temporary(), archiveFiles('2.13.0', ''));
  t.like(inspectTree(plain), { version: '2.13.0', variant: 'cpu' });
});

test('a folder that was named and holds none is an error that names it', (t) => {
  const empty = temporary();
  const environment = world({ '2.13.0-cpu': wheelFiles('2.13.0') });
  const missing = {
    code: 'STAINFOLD_LIBTORCH_MISSING',
    message: new RegExp(`${empty}, which holds no LibTorch`),
  };
  t.throws(() => resolveLibTorch({ path: empty, environment }), missing);
  t.throws(() => resolveLibTorch({ environment: { ...environment, LIBTORCH: empty } }), missing);
});

test('a folder of another build than the one wanted says which it is', (t) => {
  const path = write(temporary(), wheelFiles('2.13.0'));
  t.throws(() => resolveLibTorch({ path, variant: 'cu130', environment: world() }), {
    code: 'STAINFOLD_LIBTORCH_MISSING',
    message: /is a cpu build; cu130 is wanted/,
  });
});

test('when there is none, every place looked at is named', (t) => {
  const environment = world();
  const error = t.throws(() => resolveLibTorch({ environment }), { code: 'STAINFOLD_LIBTORCH_MISSING' });
  t.regex(error.message, /LIBTORCH \(not set\)/);
  t.true(error.message.includes(join(environment.STAINFOLD_CACHE, 'libtorch')));
  t.regex(error.message, /Python's torch \(LIBTORCH_USE_PYTORCH is not 1\)/);
  t.regex(error.message, /npx stainfold libtorch install/);
  t.throws(() => resolveLibTorch({ environment: { ...environment, LIBTORCH_USE_PYTORCH: '1' } }), {
    message: /Python's torch \(python3 knows none\)/,
  });
});

for (const [version, supported] of [
  ['2.10.0', false],
  ['2.11.0', true],
  ['2.14.9', true],
  ['2.15.0', false],
  ['3.0.0', false],
  ['1.13.1', false],
]) {
  test(`version ${version} is ${supported ? 'accepted' : 'refused'}`, (t) => {
    const path = write(temporary(), wheelFiles(version));
    const resolve = () => resolveLibTorch({ path, environment: world() });
    if (supported) return t.is(resolve().version, version);
    t.throws(resolve, {
      code: 'STAINFOLD_LIBTORCH_VERSION',
      message: new RegExp(`is version ${version}.*2\\.11 to 2\\.14`),
    });
  });
}

test('of several installs: the wanted build, the wanted minor version, else the newest', (t) => {
  const environment = world({
    '2.9.1-cpu': wheelFiles('2.9.1'),
    '2.12.1-cpu': wheelFiles('2.12.1'),
    '2.14.1-cu130': wheelFiles('2.14.1', '13.0'),
    '2.13.0-cpu': wheelFiles('2.13.0'),
    '.staging-1': wheelFiles('2.14.0'),
  });
  t.is(installedTrees(environment).length, 4);
  t.is(resolveLibTorch({ environment, variant: 'cpu' }).version, '2.13.0');
  t.is(resolveLibTorch({ environment, variant: 'cpu', prefer: '2.12' }).version, '2.12.1');
  t.is(resolveLibTorch({ environment, variant: 'cpu', prefer: '2.11' }).version, '2.13.0');
  t.is(resolveLibTorch({ environment, variant: 'cu130' }).version, '2.14.1');
});

test("Python's torch is used when asked for, without importing it", (t) => {
  const environment = world();
  const site = write(temporary('site'), {
    ...wheelFiles('2.13.0'),
    'torch/__init__.py': 'raise SystemExit("imported")',
  });
  const found = resolveLibTorch({
    environment: { ...environment, PATH: process.env.PATH, PYTHONPATH: site, LIBTORCH_USE_PYTORCH: '1' },
  });
  t.is(found.root, join(site, 'torch'));
  t.is(found.source, 'python');
});

test('an unreadable cache counts as empty', (t) => {
  const environment = world();
  mkdirSync(join(environment.STAINFOLD_CACHE, 'libtorch'));
  chmodSync(join(environment.STAINFOLD_CACHE, 'libtorch'), 0);
  t.deepEqual(installedTrees(environment), []);
  rmSync(environment.STAINFOLD_CACHE, { recursive: true });
  t.deepEqual(installedTrees(environment), []);
});

test('versions compare by number', (t) => {
  t.true(compareVersions('2.9', '2.10') < 0);
  t.true(compareVersions('2.13.1', '2.13') > 0);
  t.is(compareVersions('2.13.0', '2.13'), 0);
});
