// Invariant: setup says what it will do before it does anything, and does nothing but that.
import { mkdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import test from 'ava';
import { planSetup } from '../../lib/api/setup.js';
import { installCommand } from '../../lib/internal/installer.js';
import { recommendedVariant } from '../../lib/libtorch/host.js';
import { build, inChild, installed, lib, nativeFolder } from './addons.js';
import { temporary, wheelFiles, write } from './fakes.js';

const onLinux = process.platform === 'linux' && process.arch === 'x64' ? test : test.skip;
const CPU = () => write(temporary(), wheelFiles('2.13.0'));
const CPU_PACKAGE = '@stainfold/linux-x64-cpu';

/** What `source` sets `out` to, with planSetup and runSetup at hand; nothing answers on the network. */
function run(environment, source, from = lib) {
  const program = `
    const { planSetup, runSetup } = await import('${from('api/setup.js')}');
    let out;
    try { ${source} } catch (error) { out = { code: error.code, message: error.message, hint: error.hint }; }
    console.log(JSON.stringify(out));`;
  const quiet = {
    HTTPS_PROXY: 'http://127.0.0.1:9',
    https_proxy: 'http://127.0.0.1:9',
    NO_PROXY: '',
    no_proxy: '',
  };
  return inChild(program, { STAINFOLD_CACHE: temporary('cache'), ...quiet, ...environment });
}
const plan = (environment, options = {}, from = lib) =>
  run(environment, `out = await planSetup(${JSON.stringify(options)});`, from);

onLinux('everything is there: no step, no network asked', async (t) => {
  const LIBTORCH = CPU();
  const out = await plan({ LIBTORCH }, {}, installed({ [CPU_PACKAGE]: build('cpu') }));
  t.deepEqual(out.steps, []);
  t.deepEqual(out.present, { addon: CPU_PACKAGE, libtorch: join(LIBTORCH, 'torch') });
  t.is(out.network, null);
  t.is(out.variant, 'cpu');
  t.is(out.reason, 'what LIBTORCH holds');
  t.regex(out.platform, /^linux x64, glibc 2\.\d+$/);
});

onLinux(
  'nothing is there: the package and LibTorch, in this order, with what it costs and what is in the way',
  async (t) => {
    const out = await plan({}, { variant: 'cpu' }, installed());
    t.deepEqual(
      out.steps.map(({ kind }) => kind),
      ['package', 'libtorch'],
    );
    const [addon, library] = out.steps;
    t.is(addon.package, '@stainfold/linux-x64-cpu@0.1.0');
    t.is(addon.command[0], 'npm');
    t.true(addon.command.includes('--ignore-scripts'));
    t.like(library, { version: '2.13.0', variant: 'cpu', from: null });
    t.true(library.downloadBytes > 1e8);
    t.true(out.disk.neededBytes > library.downloadBytes);
    t.is(out.network.host, 'download.pytorch.org');
    t.truthy(out.network.reason);
    t.true(out.warnings.some((warning) => /does not answer .* --from/.test(warning)));
  },
);

onLinux('another version of the package is replaced; in a clone it is built, not installed', async (t) => {
  const old = installed({ [CPU_PACKAGE]: build('cpu', { stainfold: '0.0.9' }) });
  const LIBTORCH = CPU();
  const out = await plan({ LIBTORCH }, {}, old);
  t.is(out.steps[0].package, '@stainfold/linux-x64-cpu@0.1.0');
  t.is(out.present.addon, null);
  const clone = await plan({ LIBTORCH, STAINFOLD_NATIVE: temporary('native') });
  t.deepEqual(clone.steps, []);
  t.regex(clone.warnings[0], /npm run build:native/);
});

onLinux('a LIBTORCH of another minor version or of none is a warning, not a download over it', async (t) => {
  const STAINFOLD_NATIVE = nativeFolder(build('cpu'));
  const other = await plan({ STAINFOLD_NATIVE, LIBTORCH: write(temporary(), wheelFiles('2.12.0')) });
  t.deepEqual(other.steps, []);
  t.regex(other.warnings[0], /LibTorch 2\.12\.0; the addon needs 2\.13/);
  const empty = await plan({ STAINFOLD_NATIVE, LIBTORCH: temporary('none') }, { from: '/mnt/wheels' });
  t.regex(empty.warnings[0], /holds no LibTorch.*unset LIBTORCH/);
  t.like(empty.steps[0], { kind: 'libtorch', from: '/mnt/wheels', downloadBytes: 0 });
});

const HOST = (header) =>
  `process.report.getReport = () => ({ header: ${JSON.stringify(header)}, sharedObjects: [] }); out = await planSetup();`;

onLinux('a system that could not load it is refused before anything is planned', async (t) => {
  const there = installed({ [CPU_PACKAGE]: build('cpu', { abi: { glibc: '2.35' } }) });
  const older = { header: { glibcVersionRuntime: '2.31' } };
  for (const [header, from, message] of [
    [{}, installed(), /musl instead of glibc/],
    [{}, there, /musl instead of glibc/],
    [{ glibcVersionRuntime: '2.17' }, installed(), /^LibTorch needs glibc 2\.28; this system has 2\.17/],
    [older.header, there, /^The package @stainfold\/linux-x64-cpu needs glibc 2\.35; this system has 2\.31/],
  ]) {
    const out = await run({}, HOST(header), from);
    t.is(out.code, 'STAINFOLD_PLATFORM');
    t.regex(out.message, message);
  }
  t.like(await run({}, HOST(older.header), installed()), { platform: 'linux x64, glibc 2.31' });
});

/** Replaces a function of node:fs/promises in the child. */
const patched = (name, body) => `
  const fs = (await import('node:fs/promises')).default;
  fs.${name} = ${body};
  (await import('node:module')).syncBuiltinESMExports();`;
const CARRY_OUT = `
  const plan = await planSetup({ variant: 'cpu' });
  const libtorch = plan.steps.filter(({ kind }) => kind === 'libtorch');
  try { await runSetup({ ...plan, steps: libtorch }); }
  catch ({ code, message, hint }) { out = { warnings: plan.warnings, code, message, hint }; }`;

onLinux('no room: said in the plan, and refused before a byte is downloaded', async (t) => {
  const full = patched('statfs', 'async () => ({ bavail: 3, bsize: 1e8 })');
  const out = await run({}, `${full} ${CARRY_OUT}`, installed());
  t.is(out.code, 'STAINFOLD_FILE_WRITE');
  t.regex(out.message, /has 0\.3 GB of space left, and LibTorch needs 0\.7 GB\. Free some/);
  t.true(out.warnings.some((warning) => /has 0\.3 GB of space left/.test(warning)));
});

onLinux('a cache on a read-only disk', async (t) => {
  const readOnly = patched('access', "async () => { throw Object.assign(new Error(), { code: 'EROFS' }); }");
  const out = await run({}, `${readOnly} ${CARRY_OUT}`, installed());
  t.is(out.code, 'STAINFOLD_FILE_WRITE');
  t.regex(out.message, /cannot be written to \(a read-only file system\)/);
  t.regex(out.hint, /STAINFOLD_CACHE/);
  // With a LibTorch that is there already, nothing is to be written.
  const there = `${readOnly} out = await planSetup();`;
  t.deepEqual(
    (await run({ LIBTORCH: CPU() }, there, installed({ [CPU_PACKAGE]: build('cpu') }))).warnings,
    [],
  );
});

onLinux("Yarn's Plug'n'Play: the workspace that the command was typed in, else the project", async (t) => {
  const project = write(temporary('project'), {
    'workspace/package.json': '{}',
    'nothing/here.txt': '',
    'node_modules/pnpapi/index.js': `exports.topLevel = {}; exports.getPackageInformation = () => ({ packageLocation: '/the/project/' });`,
  });
  const from = installed();
  const source = (folder) => `
    process.versions.pnp = '3';
    process.chdir(${JSON.stringify(join(project, folder))});
    const { installCommand } = await import('${from('internal/installer.js')}');
    out = installCommand('x@1.0.0');`;
  const inside = await run({}, source('workspace'), from);
  t.deepEqual(inside.command, ['yarn', 'add', '--optional', '--exact', '--mode=skip-build', 'x@1.0.0']);
  t.is(inside.folder, join(project, 'workspace'));
  const NODE_PATH = join(project, 'node_modules');
  t.is((await run({ NODE_PATH }, source('nothing'), from)).folder, '/the/project/');
});

onLinux(
  'carried out: each step is announced; a package manager that fails is told with its command',
  async (t) => {
    const PATH = write(temporary('bin'), {});
    const source = `
    const plan = await planSetup({ variant: 'cpu' });
    const steps = [];
    try { await runSetup({ ...plan, steps: [plan.steps[0]] }, { onStep: ({ kind }) => steps.push(kind) }); }
    catch (error) { out = { steps, code: error.code, message: error.message, hint: error.hint }; }`;
    const out = await run({ PATH }, source, installed());
    t.deepEqual(out.steps, ['package']);
    t.is(out.code, 'STAINFOLD_ADDON_MISSING');
    t.regex(out.message, /'npm install .* @stainfold\/linux-x64-cpu@0\.1\.0' could not be started/);
    t.regex(out.hint, /^Run it in /);
  },
);

test('each layout has its command, run where stainfold was added', (t) => {
  const spec = '@stainfold/linux-x64-cu130@0.1.0';
  const project = (files) => {
    const folder = write(temporary('project'), files);
    const place = join(folder, 'node_modules', 'stainfold');
    mkdirSync(place, { recursive: true });
    return { folder, ...installCommand(spec, place) };
  };
  const lines = (files) => {
    const { command } = project(files);
    t.true(command.includes(spec));
    return command.join(' ');
  };
  t.regex(lines({ 'package.json': '{}' }), /^npm(\.cmd)? install --save-optional .*--ignore-scripts/);
  t.regex(lines({}), /^npm(\.cmd)? install --global .*--ignore-scripts/);
  const developed = { 'package.json': '{"devDependencies":{"@scope/tool":"1"}}' };
  t.regex(lines(developed), / --omit=dev /);
  t.notRegex(lines({ ...developed, 'node_modules/@scope/tool/package.json': '{}' }), /--omit/);
  t.notRegex(lines({ 'package.json': '{}' }), /--omit/);
  t.regex(
    lines({ 'package.json': '{}', 'pnpm-lock.yaml': '' }),
    /^pnpm add --save-optional .*--ignore-scripts/,
  );
  t.regex(
    lines({ 'package.json': '{}', 'yarn.lock': '# yarn lockfile v1\n' }),
    /^yarn add --optional --exact --ignore-scripts/,
  );
  t.regex(lines({ 'package.json': '{}', 'yarn.lock': '__metadata:\n' }), /^yarn add .*--mode=skip-build/);

  const { folder } = project({ 'package.json': '{}' });
  t.is(installCommand(spec, join(folder, 'node_modules', 'stainfold')).folder, folder);
  const inside = ['node_modules', '.pnpm', 'stainfold@0.1.0', 'node_modules', 'stainfold'].join(sep);
  const pnpm = installCommand(spec, join(folder, inside));
  t.is(pnpm.folder, folder);
  t.false(pnpm.command.includes('--workspace-root'));
  write(folder, { 'pnpm-workspace.yaml': 'packages: []\n' });
  t.true(installCommand(spec, join(folder, inside)).command.includes('--workspace-root'));
  t.is(installCommand(spec, '/opt/stainfold'), undefined);
});

onLinux('which variant is recommended: by the driver, and by its age', (t) => {
  t.like(recommendedVariant(null), { variant: 'cpu', reason: 'no NVIDIA driver' });
  t.is(recommendedVariant('580.65.06').variant, 'cu130');
  t.is(recommendedVariant('present').variant, 'cu130');
  const old = recommendedVariant('535.104.05');
  t.is(old.variant, 'cpu');
  t.regex(old.reason, /535\.104\.05 is too old for CUDA 13, which needs 580/);
});

test('options are checked', async (t) => {
  await t.throwsAsync(planSetup({ variant: 'cu118' }), {
    code: 'STAINFOLD_OPTION',
    message: /'auto', 'cpu' or 'cu130'/,
  });
  await t.throwsAsync(planSetup({ form: 'x' }), { code: 'STAINFOLD_OPTION_UNKNOWN' });
});
