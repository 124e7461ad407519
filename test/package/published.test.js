/**
 * Invariant: what the release script would publish, published to a registry as people run one (Verdaccio, on the loopback interface),
 * serves a machine that has Node and a package manager, and no compiler, no install scripts, no LibTorch, no network beyond.
 *
 * The other tests use a registry of their own: it is up in no time, is there without a network, lists what was asked for, and can list
 * what this one would refuse. This test shows that npm's protocol was not bent in it.
 */
import { spawn } from 'node:child_process';
import { createReadStream, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';
import test from 'ava';
import { PLATFORM_PACKAGES } from '../../lib/internal/platforms.js';
import { VERSION } from '../../lib/internal/version.js';
import { releaseFor } from '../../lib/libtorch/pins.js';
import { pipDownload } from '../../lib/libtorch/pip.js';
import { resolveLibTorch } from '../../lib/libtorch/resolve.js';
import { platformManifest } from '../../scripts/pack-platform.mjs';
import { prepareRelease } from '../../scripts/release.mjs';
import { temporaryFolder } from '../temporary.js';
import { barePath, project, run, userEnvironment, whyNot } from './consumer.js';
import { startRegistry } from './registry.js';
import { obtain } from './tools.js';

const reason = whyNot();
if (reason) console.log(`skipped: ${reason}`);
const [verdaccio, pnpm] = reason ? [] : [await obtain('verdaccio@6.7.4'), await obtain('pnpm@10.34.9')];
const having = (...tools) => (tools.every(Boolean) ? test.serial : test.skip);

const closing = [];
test.after.always(() => Promise.all(closing.map((close) => close())));

let registry;
/** Of a user with an empty home; the second installs into what the first has left. */
let env;
let libtorch;

test.before(async () => {
  if (!verdaccio) return;
  const { packages, commands } = await prepareRelease({ out: temporaryFolder('release'), rehearse: true });
  const here = new Set(packages.map(({ name }) => name));
  const others = PLATFORM_PACKAGES.filter(({ name }) => !here.has(name)).map(platformManifest);
  const dependencies = await startRegistry([], others);
  closing.push(dependencies.close);
  registry = await startVerdaccio(dependencies.url);
  for (const [program, ...args] of commands) {
    // Provenance is signed by the CI that npm trusts, and by nobody here.
    const given = [...args.filter((one) => one !== '--provenance'), '--provenance=false', '--tag=latest'];
    const said = await run(program, given, { cwd: temporaryFolder('publisher'), env: registry.publisher });
    if (said.code !== 0) throw new Error(said.stderr);
  }
  const { LIBTORCH: _, ...user } = userEnvironment({ PATH: barePath() });
  env = { ...user, XDG_CACHE_HOME: join(user.HOME, '.cache') };
  libtorch = await mirror();
});

/** Verdaccio with an empty storage, which asks `upstream` for what was not published to it. */
async function startVerdaccio(upstream) {
  const folder = temporaryFolder('verdaccio');
  const config = {
    storage: join(folder, 'storage'),
    auth: { htpasswd: { file: join(folder, 'htpasswd') } },
    uplinks: { upstream: { url: upstream } },
    packages: { '**': { access: '$all', publish: '$authenticated', proxy: 'upstream' } },
    log: { type: 'stdout', format: 'json', level: 'warn' },
    max_body_size: '100mb',
  };
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config)); // JSON is YAML
  const port = await freePort();
  const listen = `127.0.0.1:${port}`;
  const args = [verdaccio.bin('verdaccio'), '--config', join(folder, 'config.yaml'), '--listen', listen];
  const quiet = { ...process.env, NODE_NO_WARNINGS: '1' }; // it dislikes to be run by root
  const child = spawn(process.execPath, args, { env: quiet, stdio: ['ignore', 'ignore', 'inherit'] });
  closing.push(() => child.kill());
  const url = `http://${listen}/`;
  for (let tries = 0; !(await fetch(`${url}-/ping`).catch(() => undefined))?.ok; tries++) {
    if (tries === 100) throw new Error('Verdaccio does not answer');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const user = { name: 'publisher', password: 'of this test alone' };
  const made = await fetch(`${url}-/user/org.couchdb.user:${user.name}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(user),
  });
  const { token } = await made.json();
  const publisher = userEnvironment({ npm_config_registry: url });
  writeFileSync(publisher.npm_config_userconfig, `//${listen}/:_authToken=${token}\n`);
  return { url, publisher };
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Address of a mirror of the pinned wheel, where pip has it; else the folder of the LibTorch that is here. */
async function mirror() {
  const folder = temporaryFolder('wheels');
  const [wheel] = releaseFor('cpu').wheels;
  try {
    await pipDownload(wheel, join(folder, wheel.file), join(folder, 'pip'));
  } catch {
    return resolveLibTorch({ variant: 'cpu' }).root;
  }
  const server = createServer((request, response) => {
    const path = join(folder, basename(decodeURIComponent(request.url)));
    if (!existsSync(path) || !statSync(path).isFile()) return response.writeHead(404).end();
    response.writeHead(200, { 'content-length': statSync(path).size });
    return createReadStream(path).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  return `http://127.0.0.1:${server.address().port}/`;
}

/** A new user's first lines, in an empty project. */
async function firstRun(t, install, runner) {
  const app = project(registry);
  const shell = async (...command) => {
    const said = await run(command[0], command.slice(1), { cwd: app, env });
    t.log(`$ ${command.join(' ')}`);
    t.is(said.code, 0, `${command.join(' ')}\n${said.stdout}\n${said.stderr}`);
    for (const line of said.stdout.trim().split('\n')) t.log(line);
    return said.stdout;
  };
  await shell(...install);
  t.regex(await shell(...runner, 'setup', '--yes', '--from', libtorch), /✔ (?:Ready|Everything was there)/);
  await shell(...runner, 'phantom', '--out', 'tiles', '--tiles', '8', '--labs', '2', '--tile-size', '64');
  t.regex(await shell(...runner, 'embed', 'tiles/tiles', '--out', 'z.npy'), /16 tiles of 128 dimensions/);
  t.true(existsSync(join(app, 'z.npy')));
  return app;
}

having(verdaccio)('npm install, setup, embed', async (t) => {
  for (const tool of ['g++', 'cc', 'clang', 'cmake', 'make', 'ninja', 'nvcc', 'python3'])
    t.not((await run('sh', ['-c', `command -v ${tool}`], { cwd: '/', env })).code, 0, tool);
  const app = await firstRun(t, ['npm', 'install', 'stainfold'], ['npx', 'stainfold']);
  t.true(existsSync(join(app, 'node_modules/@stainfold', `linux-${process.arch}-cpu`, 'stainfold.node')));
  t.true(existsSync(join(env.XDG_CACHE_HOME, 'stainfold/libtorch', `${releaseFor('cpu').version}-cpu`)));
});

having(verdaccio, pnpm)('the same with pnpm', async (t) => {
  const bin = pnpm.bin('pnpm');
  const store = join(env.HOME, 'store');
  mkdirSync(store);
  const app = await firstRun(t, [bin, 'add', 'stainfold', '--store-dir', store], [bin, 'exec', 'stainfold']);
  const kept = readdirSync(join(app, 'node_modules/.pnpm'));
  t.true(
    kept.some((name) => name.startsWith(`stainfold@${VERSION}`)),
    kept.join(),
  );
});
