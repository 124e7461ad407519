// Invariant: whatever is missing or wrong between a call and the native core has a code, names the thing, and ends in a remedy.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { build, inChild, lib, nativeFolder } from './addons.js';
import { temporary, wheelFiles, write } from './fakes.js';

const CPU = () => write(temporary(), wheelFiles('2.13.0'));

/** Loads in a child; `then` are statements that may use `addon`, `loadNative`, `loadedLibTorch`, and set `out`. */
function load(environment, { options = {}, then = 'out = { variant: addon.variant };' } = {}) {
  const program = `
    const { loadNative, loadedLibTorch, describeNative } = await import('${lib('internal/load.js')}');
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
  t.regex(out.message, /variant cu130 \(STAINFOLD_VARIANT\).*built: cpu/);
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
