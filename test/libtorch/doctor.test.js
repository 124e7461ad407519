// Invariant: doctor reports, whatever it finds; every line that is not ok has a remedy.
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { installRelease } from '../../lib/libtorch/install.js';
import { build, inChild, lib, nativeFolder } from './addons.js';
import { fakeRelease, temporary, wheelFiles, write } from './fakes.js';

async function examine(t, environment, options = {}) {
  const program = `
    const { doctor } = await import('${lib('api/doctor.js')}');
    console.log(JSON.stringify(await doctor(${JSON.stringify(options)})));`;
  const report = await inChild(program, { STAINFOLD_CACHE: temporary('cache'), ...environment });
  t.is(
    report.ok,
    report.checks.every(({ status }) => status !== 'fail'),
  );
  for (const { status, name, detail, remedy } of report.checks) {
    t.true(detail.length > 0, name);
    t.is(status === 'ok', remedy === undefined, `${name}: a remedy exactly where one is needed`);
  }
  return Object.fromEntries(report.checks.map((check) => [check.name, check]));
}

const CPU = () => write(temporary(), wheelFiles('2.13.0'));

test('a machine with everything: all ok, with versions', async (t) => {
  const environment = { STAINFOLD_NATIVE: nativeFolder(build('cpu')), LIBTORCH: CPU() };
  const checks = await examine(t, environment);
  t.deepEqual(Object.keys(checks), [
    ...[
      'node',
      'platform',
      'machine',
      'sharp',
      'libtorch',
      'addon cpu',
      'cuda',
      'threads',
      'jpeg',
      'slides',
      'cache',
    ],
  ]);
  t.true(checks.node.detail.startsWith(process.versions.node));
  t.regex(checks.sharp.detail, /reads jpeg, png, tiff, webp/);
  t.regex(checks.libtorch.detail, /2\.13\.0 cpu in .* \(LIBTORCH; supported: 2\.11 to 2\.14\)/);
  t.is(checks['addon cpu'].detail, 'stainfold 0.1.0 for LibTorch 2.13.0, loads with 2.13.0, AVX2');
  t.is(checks['addon cpu'].status, 'ok');
});

test('no libjpeg: tiles are decoded all the same, and slower', async (t) => {
  const LIBTORCH = CPU();
  const without = nativeFolder(build('cpu', { jpeg: '' }));
  const { jpeg } = await examine(t, { STAINFOLD_NATIVE: without, LIBTORCH });
  t.regex(jpeg.detail, /^sharp decodes JPEG tiles/);
  t.is(jpeg.status, process.platform === 'linux' ? 'warn' : 'ok');
  const other = nativeFolder(build('cpu', { jpeg: '80' }));
  const found = await examine(t, { STAINFOLD_NATIVE: other, LIBTORCH });
  t.regex(found.jpeg.detail, /^libjpeg 80 decodes JPEG tiles/);
});

test('nothing is there: what is missing fails with its remedy', async (t) => {
  const checks = await examine(t, { STAINFOLD_NATIVE: temporary('native') });
  t.is(checks.libtorch.status, 'fail');
  t.regex(checks.libtorch.remedy, /npx stainfold libtorch install/);
  t.is(checks.addon.status, 'fail');
  t.regex(checks.addon.remedy, /npm run build:native/);
});

test('an addon that crashes on loading is a line of the report', async (t) => {
  const crash = nativeFolder(build('cpu', { addon: "process.kill(process.pid, 'SIGSEGV'); for (;;);" }));
  const checks = await examine(t, { STAINFOLD_NATIVE: crash, LIBTORCH: CPU() });
  t.is(checks['addon cpu'].status, 'fail');
  t.regex(checks['addon cpu'].detail, /crashed with SIGSEGV/);
});

test('one of two builds does not load: a warning, because the other does', async (t) => {
  const STAINFOLD_NATIVE = nativeFolder(
    build('cpu'),
    build('cu130', { libtorch: '2.14.1', archs: ['sm_80', 'compute_90'] }),
  );
  const checks = await examine(t, { STAINFOLD_NATIVE }, { libtorch: CPU() });
  t.is(checks['addon cpu'].status, 'ok');
  t.is(checks['addon cu130'].status, 'warn');
  t.regex(checks['addon cu130'].detail, /\(sm_80, compute_90\): .* is a cpu build; cu130 is wanted$/);
});

test('CUDA: no driver, no CUDA build, no device, a device, a device too old', async (t) => {
  const LIBTORCH = write(temporary(), wheelFiles('2.14.1', '13.0'));
  const found = { found: true, version: '13.0', reason: null };
  const gpu = { index: 0, name: 'NVIDIA H100', capability: '9.0', totalBytes: 2 ** 36, freeBytes: 2 ** 35 };
  const cuda = async (...builds) => {
    const environment = { STAINFOLD_NATIVE: nativeFolder(...builds), LIBTORCH };
    return (await examine(t, environment)).cuda;
  };
  const cu130 = (status, driver = found) =>
    build('cu130', {
      libtorch: '2.14.1',
      archs: ['sm_80', 'sm_90', 'compute_90'],
      driver,
      status: { cudaCompiled: true, cudaVersion: '13.0', ...status },
    });

  const none = await cuda(cu130({}, { found: false, version: null, reason: 'libcuda.so.1 is missing' }));
  t.like(none, { status: 'ok' });
  t.regex(none.detail, /not available: libcuda\.so\.1 is missing; the cu130 addon loads and runs on the CPU/);
  t.regex((await cuda(build('cpu', { driver: found }))).remedy, /--variant cu130/);
  const hidden = await cuda(cu130({ cudaUnavailable: 'no CUDA-capable device is detected' }));
  t.is(hidden.status, 'warn');
  t.regex(hidden.detail, /no CUDA-capable device is detected/);
  const good = await cuda(cu130({ devices: [gpu], cudaUnavailable: '' }));
  t.is(good.status, 'ok');
  t.regex(good.detail, /serves CUDA 13\.0.*cuda:0 NVIDIA H100 \(9\.0, 32\.0 GiB of 64\.0 GiB free\)/);
  const old = await cuda(
    cu130({ devices: [{ ...gpu, name: 'Tesla V100', capability: '7.0' }], cudaUnavailable: '' }),
  );
  t.is(old.status, 'warn');
  t.regex(old.detail, /Tesla V100 is older than the kernels built/);
});

test('damage in an install is found', async (t) => {
  const cache = temporary('cache');
  const fake = fakeRelease();
  const wheels = write(temporary('wheels'), { [fake.file]: fake.bytes });
  const { lib: folder } = await installRelease(fake.release, {
    environment: { STAINFOLD_CACHE: cache },
    from: wheels,
  });
  const environment = { STAINFOLD_NATIVE: nativeFolder(build('cpu')), STAINFOLD_CACHE: cache };
  t.regex((await examine(t, environment)).libtorch.detail, /\(cache; .*4 files intact/);
  writeFileSync(join(folder, 'libtorch_cpu.so'), 'short');
  const { libtorch } = await examine(t, environment);
  t.is(libtorch.status, 'fail');
  t.regex(libtorch.detail, /1 of 4 files missing or changed \(torch\/lib\/libtorch_cpu\.so\)/);
  t.regex(libtorch.remedy, /install --force --variant cpu/);
});

test('a small thread pool and few native threads are pointed out', async (t) => {
  const environment = { STAINFOLD_NATIVE: nativeFolder(build('cpu')), LIBTORCH: CPU() };
  const pool = await examine(t, { ...environment, UV_THREADPOOL_SIZE: '1' });
  t.is(pool.threads.status, availableParallelism() > 1 ? 'warn' : 'ok');
  t.regex(pool.threads.detail, /libuv pool of 1$/);
  const few = nativeFolder(build('cpu', { status: { threads: 0 } }));
  const { threads } = await examine(t, { ...environment, STAINFOLD_NATIVE: few, OMP_NUM_THREADS: '1' });
  t.is(threads.status, 'warn');
  t.regex(threads.detail, /OMP_NUM_THREADS=1/);
});

test('options are checked', async (t) => {
  const { doctor } = await import('../../lib/api/doctor.js');
  await t.throwsAsync(doctor({ libtorsh: '/x' }), {
    code: 'STAINFOLD_OPTION_UNKNOWN',
    message: /did you mean 'libtorch'/,
  });
  await t.throwsAsync(doctor({ libtorch: 3 }), { code: 'STAINFOLD_OPTION' });
});
