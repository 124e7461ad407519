// Invariant: whatever is missing or wrong between a call and the native core has a code, names the thing, and ends in a remedy.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { build, inChild, installed, lib, nativeFolder } from './addons.js';
import { temporary, wheelFiles, write } from './fakes.js';

const CPU = () => write(temporary(), wheelFiles('2.13.0'));

/**
 * Loads in a child; `first` are statements before it, `then` those after it, which may use `addon`, `loadNative`, `loadedLibTorch`, and
 * set `out`. `from`: whose lib.
 */
function load(
  environment,
  { options = {}, first = '', then = 'out = { variant: addon.variant };', from = lib } = {},
) {
  const program = `
    ${first}
    const { loadNative, loadedLibTorch, describeNative } = await import('${from('internal/load.js')}');
    let out;
    try {
      const addon = await loadNative(${JSON.stringify(options)});
      ${then}
    } catch (error) {
      out = { code: error.code, message: error.message, hint: error.hint };
    }
    console.log(JSON.stringify(out));`;
  return inChild(program, { STAINFOLD_CACHE: temporary('cache'), ...environment });
}

test('loads once an environment, initialised with the one error class', async (t) => {
  const root = CPU();
  const then = `
    const same = (await loadNative()) === addon && (await loadNative({ libtorch: '${root}' })) === addon;
    const known = addon.createError('STAINFOLD_SHAPE', 'The tile has 3 sides');
    const unknown = addon.createError('no such code', 'Something');
    out = { same, root: loadedLibTorch().root, names: [known.name, known.code, known.hint, unknown.code] };`;
  const out = await load({ STAINFOLD_NATIVE: nativeFolder(build('cpu')), LIBTORCH: root }, { then });
  t.true(out.same);
  t.is(out.root, join(root, 'torch'));
  t.deepEqual(out.names.slice(0, 2), ['StainfoldError', 'STAINFOLD_SHAPE']);
  t.regex(out.names[2], /multiples of 32/);
  t.is(out.names[3], 'STAINFOLD_INTERNAL');
});

test('no build: STAINFOLD_ADDON_MISSING, naming where it was looked for', async (t) => {
  const empty = temporary('native');
  const out = await load({ STAINFOLD_NATIVE: empty, LIBTORCH: CPU() });
  t.is(out.code, 'STAINFOLD_ADDON_MISSING');
  t.true(out.message.includes(empty));
  t.regex(out.message, /npm run build:native/);
});

test('a variant that was asked for and is not built says what is', async (t) => {
  const out = await load({
    STAINFOLD_NATIVE: nativeFolder(build('cpu')),
    LIBTORCH: CPU(),
    STAINFOLD_VARIANT: 'cu130',
  });
  t.is(out.code, 'STAINFOLD_ADDON_MISSING');
  t.regex(out.message, /variant cu130 \(STAINFOLD_VARIANT\).*there is cpu/);
});

test('a build in progress or with a broken description does not count', async (t) => {
  const { 'cpu/build.json': _, ...noDescription } = build('cpu');
  const folder = nativeFolder(noDescription, { ...build('cu130'), 'cu130/build.json': '{' });
  t.is((await load({ STAINFOLD_NATIVE: folder, LIBTORCH: CPU() })).code, 'STAINFOLD_ADDON_MISSING');
});

test('no LibTorch: STAINFOLD_LIBTORCH_MISSING; another minor: STAINFOLD_LIBTORCH_MISMATCH before anything is opened', async (t) => {
  const STAINFOLD_NATIVE = nativeFolder(build('cpu', { load: "(() => { throw new Error('opened'); })()" }));
  t.is((await load({ STAINFOLD_NATIVE })).code, 'STAINFOLD_LIBTORCH_MISSING');
  const other = write(temporary(), wheelFiles('2.14.0'));
  const out = await load({ STAINFOLD_NATIVE, LIBTORCH: other });
  t.is(out.code, 'STAINFOLD_LIBTORCH_MISMATCH');
  t.regex(out.message, /cpu addon was built for LibTorch 2\.13\.0; .*torch is 2\.14\.0/);
});

test('a patch release of the same minor loads', async (t) => {
  const patch = write(temporary(), wheelFiles('2.13.2'));
  t.deepEqual(await load({ STAINFOLD_NATIVE: nativeFolder(build('cpu')), LIBTORCH: patch }), {
    variant: 'cpu',
  });
});

test('a library that cannot be opened: STAINFOLD_LIBTORCH_LOAD with its name and the reason', async (t) => {
  const refuse =
    "({ ok: false, library: 'libtorch_cpu.so', path: folder + '/libtorch_cpu.so', reason: 'file too short' })";
  const out = await load({ STAINFOLD_NATIVE: nativeFolder(build('cpu', { load: refuse })), LIBTORCH: CPU() });
  t.is(out.code, 'STAINFOLD_LIBTORCH_LOAD');
  t.regex(
    out.message,
    /^libtorch_cpu\.so of LibTorch 2\.13\.0 \(.*lib\/libtorch_cpu\.so\) cannot be loaded: file too short\./,
  );
});

test('a library that is cut off is refused before it can kill the process', async (t) => {
  const LIBTORCH = CPU();
  const library = join(LIBTORCH, 'torch/lib/libtorch_cpu.so');
  // Sharp's addon is a real ELF file at hand: whole it must pass, cut off it must not.
  const folder = join(
    import.meta.dirname,
    `../../node_modules/@img/sharp-${process.platform}-${process.arch}/lib`,
  );
  const elf = readFileSync(
    join(
      folder,
      readdirSync(folder).find((name) => name.endsWith('.node')),
    ),
  );
  const STAINFOLD_NATIVE = nativeFolder(build('cpu'));
  writeFileSync(library, elf);
  t.deepEqual(await load({ STAINFOLD_NATIVE, LIBTORCH }), { variant: 'cpu' });
  writeFileSync(library, elf.subarray(0, elf.length >> 1));
  const out = await load({ STAINFOLD_NATIVE, LIBTORCH });
  t.is(out.code, 'STAINFOLD_LIBTORCH_LOAD');
  t.regex(
    out.message,
    new RegExp(`libtorch_cpu\\.so .* is cut off: ${elf.length >> 1} of at least \\d+ bytes`),
  );
});

test('an addon that cannot be opened: STAINFOLD_ADDON_LOAD with the path; a later call tries again', async (t) => {
  const addon = "if (!globalThis.repaired) throw new Error('undefined symbol: _ZN3c105Error');";
  const folder = nativeFolder(build('cpu', { addon }));
  const out = await load({ STAINFOLD_NATIVE: folder, LIBTORCH: CPU() });
  t.is(out.code, 'STAINFOLD_ADDON_LOAD');
  t.regex(out.message, /cpu\/stainfold\.node cannot be loaded: undefined symbol/);
  const program = `
    const { loadNative } = await import('${lib('internal/load.js')}');
    const first = await loadNative().catch((error) => error.code);
    globalThis.repaired = true;
    console.log(JSON.stringify([first, (await loadNative()).variant]));`;
  const twice = await inChild(program, { STAINFOLD_NATIVE: folder, LIBTORCH: CPU() });
  t.deepEqual(twice, ['STAINFOLD_ADDON_LOAD', 'cpu']);
});

test('another LibTorch than the one loaded: STAINFOLD_STATE', async (t) => {
  const then = `await loadNative({ libtorch: '${CPU()}' });`;
  const out = await load({ STAINFOLD_NATIVE: nativeFolder(build('cpu')), LIBTORCH: CPU() }, { then });
  t.is(out.code, 'STAINFOLD_STATE');
  t.regex(out.message, /is loaded already/);
});

test('of two builds, the one whose LibTorch is there; without a driver the CPU build first', async (t) => {
  const STAINFOLD_NATIVE = nativeFolder(build('cpu'), build('cu130', { libtorch: '2.14.1' }));
  const cuda = write(temporary(), wheelFiles('2.14.1', '13.0'));
  t.deepEqual(await load({ STAINFOLD_NATIVE, LIBTORCH: cuda }), { variant: 'cu130' });
  t.deepEqual(await load({ STAINFOLD_NATIVE, LIBTORCH: CPU() }), { variant: 'cpu' });
  const cache = temporary('cache');
  write(join(cache, 'libtorch', '2.14.1-cu130'), wheelFiles('2.14.1', '13.0'));
  write(join(cache, 'libtorch', '2.13.0-cpu'), wheelFiles('2.13.0'));
  const chosen = await load({ STAINFOLD_NATIVE, STAINFOLD_CACHE: cache, STAINFOLD_VARIANT: 'cu130' });
  t.deepEqual(chosen, { variant: 'cu130' });
});

test('of several installs, the one that the build was made for', async (t) => {
  const cache = temporary('cache');
  write(join(cache, 'libtorch', '2.14.0-cpu'), wheelFiles('2.14.0'));
  write(join(cache, 'libtorch', '2.13.0-cpu'), wheelFiles('2.13.0'));
  const then = 'out = loadedLibTorch().version;';
  const out = await load({ STAINFOLD_NATIVE: nativeFolder(build('cpu')), STAINFOLD_CACHE: cache }, { then });
  t.is(out, '2.13.0');
});

test('describeNative lists builds and the driver without loading LibTorch', async (t) => {
  const driver = { found: true, version: '13.0', reason: null };
  const folder = nativeFolder(build('cpu', { driver, load: "(() => { throw new Error('opened'); })()" }));
  const program = `
    const { describeNative } = await import('${lib('internal/load.js')}');
    console.log(JSON.stringify(describeNative()));`;
  const out = await inChild(program, { STAINFOLD_NATIVE: folder });
  t.like(out, { folder, driver });
  t.deepEqual(
    out.builds.map(({ variant, libtorch }) => [variant, libtorch]),
    [['cpu', '2.13.0']],
  );
});

// --- as npm installs it; script addons stand for Linux on x86-64 alone
const onLinux = process.platform === 'linux' && process.arch === 'x64' ? test : test.skip;
const CPU_PACKAGE = '@stainfold/linux-x64-cpu';
const CUDA_PACKAGE = '@stainfold/linux-x64-cu130';

onLinux('outside a clone the platform package is used', async (t) => {
  const from = installed({ [CPU_PACKAGE]: build('cpu') });
  t.deepEqual(await load({ LIBTORCH: CPU() }, { from }), { variant: 'cpu' });
  const then = 'out = describeNative().builds.map((build) => build.package);';
  t.deepEqual(await load({ LIBTORCH: CPU() }, { from, then }), [CPU_PACKAGE]);
});

onLinux('no platform package: STAINFOLD_ADDON_MISSING with its name and version', async (t) => {
  const out = await load({ LIBTORCH: CPU() }, { from: installed() });
  t.is(out.code, 'STAINFOLD_ADDON_MISSING');
  t.regex(out.message, /not installed: no package @stainfold\/linux-x64-cpu beside stainfold/);
  t.is(out.hint, "Run 'npx stainfold setup', or 'npm install @stainfold/linux-x64-cpu@0.1.0'.");
});

onLinux(
  'a package of another version: STAINFOLD_ADDON_VERSION, before anything of it is opened',
  async (t) => {
    const opened = { load: "(() => { throw new Error('opened'); })()", stainfold: '0.0.9' };
    const from = installed({ [CPU_PACKAGE]: build('cpu', opened) });
    const out = await load({ LIBTORCH: CPU() }, { from });
    t.is(out.code, 'STAINFOLD_ADDON_VERSION');
    t.regex(
      out.message,
      /^The package @stainfold\/linux-x64-cpu is version 0\.0\.9, and stainfold is 0\.1\.0;/,
    );
    t.is(out.hint, "Run 'npm install @stainfold/linux-x64-cpu@0.1.0'.");
  },
);

onLinux('a package for another LibTorch: STAINFOLD_LIBTORCH_MISMATCH, and what to install', async (t) => {
  const from = installed({ [CPU_PACKAGE]: build('cpu', { libtorch: '2.12.0' }) });
  const out = await load({ LIBTORCH: CPU() }, { from });
  t.is(out.code, 'STAINFOLD_LIBTORCH_MISMATCH');
  t.regex(out.hint, /stainfold libtorch install/);
});

onLinux('musl, and a platform without packages: STAINFOLD_PLATFORM', async (t) => {
  const musl = `process.report.getReport = () => ({ header: {}, sharedObjects: ['/lib/ld-musl-x86_64.so.1'] });`;
  const alpine = await load({}, { from: installed(), first: musl });
  t.is(alpine.code, 'STAINFOLD_PLATFORM');
  t.regex(alpine.message, /musl instead of glibc/);
  t.regex(alpine.hint, /slim/);
  const packaged = installed({ [CPU_PACKAGE]: build('cpu', { abi: { glibc: '2.35' } }) });
  t.is((await load({ LIBTORCH: CPU() }, { from: packaged, first: musl })).code, 'STAINFOLD_PLATFORM');
  const bsd = await load(
    {},
    { from: installed(), first: "Object.defineProperty(process, 'platform', { value: 'freebsd' });" },
  );
  t.is(bsd.code, 'STAINFOLD_PLATFORM');
  t.regex(bsd.message, /no binaries of stainfold for freebsd on x64/);
});

onLinux(
  'a glibc that is too old: STAINFOLD_PLATFORM with both versions, before anything is opened',
  async (t) => {
    const refuse = { load: "(() => { throw new Error('opened'); })()", abi: { glibc: '2.99' } };
    const out = await load({ LIBTORCH: CPU() }, { from: installed({ [CPU_PACKAGE]: build('cpu', refuse) }) });
    t.is(out.code, 'STAINFOLD_PLATFORM');
    t.regex(
      out.message,
      /^The package @stainfold\/linux-x64-cpu needs glibc 2\.99; this system has 2\.\d+\./,
    );
  },
);

onLinux("device 'cuda': what is missing, driver or package, is said before LibTorch is opened", async (t) => {
  const options = { device: 'cuda:0' };
  const closed = { load: "(() => { throw new Error('opened'); })()" };
  const found = { found: true, version: '13.0', reason: null };
  const none = await load(
    { LIBTORCH: CPU() },
    { options, from: installed({ [CPU_PACKAGE]: build('cpu', closed) }) },
  );
  t.is(none.code, 'STAINFOLD_DEVICE');
  t.regex(none.message, /'cuda:0' needs an NVIDIA driver: no libcuda\.so\.1/);
  const noPackage = await load(
    { LIBTORCH: CPU() },
    { options, from: installed({ [CPU_PACKAGE]: build('cpu', { ...closed, driver: found }) }) },
  );
  t.is(noPackage.code, 'STAINFOLD_DEVICE');
  t.regex(noPackage.hint, /npm install @stainfold\/linux-x64-cu130@0\.1\.0/);
  const both = installed({
    [CPU_PACKAGE]: build('cpu', { ...closed, driver: found }),
    [CUDA_PACKAGE]: build('cu130', { libtorch: '2.14.1', driver: found }),
  });
  const LIBTORCH = write(temporary(), wheelFiles('2.14.1', '13.0'));
  t.deepEqual(await load({ LIBTORCH }, { options, from: both }), { variant: 'cu130' });
});
