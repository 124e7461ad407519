// Invariant: whatever lays node_modules out, or leaves it away, stainfold finds its binaries and they find LibTorch.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { project, publish, run, userEnvironment, whyNot, write } from './consumer.js';
import { obtain } from './tools.js';

const reason = whyNot();
if (reason) console.log(`skipped: ${reason}`);
const [pnpm, yarn, berry] = reason
  ? []
  : [await obtain('pnpm@10.34.9'), await obtain('yarn@1.22.22'), await obtain('@yarnpkg/cli-dist@4.18.1')];
const having = (tool) => (tool ? test.serial : test.skip);

let registry;
test.before(async () => {
  if (!reason) registry = await publish();
});
test.after.always(() => registry?.close());

const PROGRAM = `
import { doctor, loadEncoder } from 'stainfold';
const encoder = await loadEncoder('phantom-tiny', { device: 'cpu', threads: 1 });
const pixels = { data: new Uint8Array(64 * 64 * 3).fill(200), width: 64, height: 64, channels: 3 };
const { shape } = await encoder.embed([pixels]);
await encoder.dispose();
const { checks } = await doctor();
console.log(shape.join(), checks.find(({ name }) => name === 'addon cpu').status);
`;

/** Installs with `install`, then runs the program with \`runner\`. */
async function embeds(t, { files = {}, install, runner }) {
  const folder = project(registry, { type: 'module', dependencies: { stainfold: '*' } });
  write(folder, { 'program.js': PROGRAM, ...files });
  const env = userEnvironment({ npm_config_registry: registry.url, CI: '' });
  const installed = await run(install[0], install.slice(1), { cwd: folder, env });
  t.is(installed.code, 0, `${installed.stdout}\n${installed.stderr}`);
  const said = await run(runner[0], [...runner.slice(1), 'program.js'], { cwd: folder, env });
  t.regex(said.stdout, /^1,128 ok$/m, `${said.stdout}\n${said.stderr}`);
  return folder;
}

having(pnpm)('pnpm: a store and links, nothing hoisted', async (t) => {
  const store = ['--store-dir', join(project(registry), 'store')];
  await embeds(t, { install: [pnpm.bin('pnpm'), 'install', '--ignore-scripts', ...store], runner: ['node'] });
});

having(yarn)('Yarn 1', async (t) => {
  const install = [yarn.bin('yarn'), 'install', '--ignore-scripts', '--no-progress', '--non-interactive'];
  const folder = await embeds(t, { install, runner: ['node'] });
  t.regex(readFileSync(join(folder, 'yarn.lock'), 'utf8'), /yarn lockfile v1/);
});

const YARNRC = () => `npmRegistryServer: "${registry.url}"
unsafeHttpWhitelist: ["127.0.0.1"]
enableTelemetry: false
enableScripts: false
enableGlobalCache: false
enableImmutableInstalls: false
npmMinimalAgeGate: 0
`;

having(berry)('Yarn 4 with node_modules', async (t) => {
  await embeds(t, {
    files: { '.yarnrc.yml': `${YARNRC()}nodeLinker: node-modules\n`, 'yarn.lock': '' },
    install: [berry.bin('yarn'), 'install'],
    runner: ['node'],
  });
});

having(berry)("Yarn 4 with Plug'n'Play: nothing but archives and what is unplugged", async (t) => {
  const folder = await embeds(t, {
    files: { '.yarnrc.yml': `${YARNRC()}nodeLinker: pnp\n`, 'yarn.lock': '' },
    install: [berry.bin('yarn'), 'install'],
    runner: [berry.bin('yarn'), 'node'],
  });
  t.false(existsSync(join(folder, 'node_modules')));
});
