// Invariant: what is published works for a user with npm, Node and nothing else: no compiler, no install scripts, no clone.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { VERSION } from '../../lib/internal/version.js';
import { write as fakeTree, wheelFiles } from '../libtorch/fakes.js';
import { temporaryFolder } from '../temporary.js';
import { barePath, project, publish, run, userEnvironment, whyNot, write } from './consumer.js';

const reason = whyNot();
if (reason) console.log(`skipped: ${reason}`);
const here = reason ? test.skip : test.serial;

let registry;
let env;
/** The project that most tests use. */
let app;
let installed;
test.before(async () => {
  if (reason) return;
  registry = await publish();
  env = userEnvironment({ PATH: barePath() });
  app = project(registry, { type: 'module' });
  installed = await run('npm', ['install', 'stainfold'], { cwd: app, env });
});
test.after.always(() => registry?.close());

/** Runs a program's source in the project. */
const node = (source, name = 'program.mjs') => {
  write(app, { [name]: source });
  return run('node', [name], { cwd: app, env });
};

here('npm install: exactly the platform package of this machine, no CUDA, no script', async (t) => {
  t.is(installed.code, 0, installed.stderr);
  t.deepEqual(readdirSync(join(app, 'node_modules/@stainfold')), [`linux-${process.arch}-cpu`]);
  const asked = registry.requests.filter((path) => /stainfold.*\.tgz$/.test(path)).sort();
  t.deepEqual(asked, [
    `@stainfold/linux-${process.arch}-cpu/-/linux-${process.arch}-cpu-${VERSION}.tgz`,
    `stainfold/-/stainfold-${VERSION}.tgz`,
  ]);
  const manifest = JSON.parse(readFileSync(join(app, 'node_modules/stainfold/package.json'), 'utf8'));
  t.is(manifest.scripts, undefined);
  t.false(existsSync(join(app, 'node_modules/stainfold/native/src')));
});

here('setup --yes, phantom, embed: from the shell, without a compiler', async (t) => {
  const shell = async (...args) => {
    const said = await run('npx', ['stainfold', ...args], { cwd: app, env });
    t.is(said.code, 0, said.stderr);
    return said.stdout;
  };
  t.regex(await shell('setup', '--yes'), /addon +@stainfold\/linux-\w+-cpu\n[\s\S]*Everything was there/);
  await shell('phantom', '--out', 'tiles', '--tiles', '8', '--labs', '2', '--tile-size', '64');
  t.regex(await shell('embed', 'tiles/tiles', '--out', 'z.npy'), /16 tiles of 128 dimensions/);
  t.regex(await shell('doctor'), /addon cpu .* from @stainfold\/linux-\w+-cpu for LibTorch .*, loads with/);
});

here('setup adds a platform package that is missing, and nothing without a yes', async (t) => {
  const bare = project(registry);
  const { code } = await run('npm', ['install', 'stainfold'], { cwd: bare, env });
  t.is(code, 0);
  const place = join(bare, 'node_modules/@stainfold');
  rmSync(place, { recursive: true });
  const asked = await run('npx', ['stainfold', 'setup', '--json'], { cwd: bare, env });
  t.is(asked.code, 1);
  t.regex(asked.stderr, /Nothing was changed: pass --yes/);
  t.false(existsSync(place));
  const { plan } = JSON.parse(asked.stdout);
  t.deepEqual(
    plan.steps.map((step) => step.package),
    [`@stainfold/linux-${process.arch}-cpu@${VERSION}`],
  );
  const done = await run('npx', ['stainfold', 'setup', '--yes', '--json'], { cwd: bare, env });
  t.true(existsSync(join(place, `linux-${process.arch}-cpu/build.json`)), done.stderr);
  const { doctor } = JSON.parse(done.stdout);
  t.is(doctor.checks.find(({ name }) => name === 'addon cpu')?.status, 'ok');
  const { optionalDependencies } = JSON.parse(readFileSync(join(bare, 'package.json'), 'utf8'));
  t.deepEqual(optionalDependencies, { [`@stainfold/linux-${process.arch}-cpu`]: VERSION });
});

here(
  "CUDA's package is added where it is asked for, of stainfold's own version; npm refuses another",
  async (t) => {
    const server = project(registry);
    const spec = `@stainfold/linux-${process.arch}-cu130`;
    t.is((await run('npm', ['install', 'stainfold'], { cwd: server, env })).code, 0);
    t.false(existsSync(join(server, 'node_modules', spec)));
    // What this machine cannot load is added all the same: an image is built without a GPU.
    const LIBTORCH = fakeTree(temporaryFolder('libtorch'), wheelFiles('2.14.1', '13.0'));
    const said = await run('npx', ['stainfold', 'setup', '--yes', '--variant', 'cu130'], {
      cwd: server,
      env: { ...env, LIBTORCH },
    });
    t.true(existsSync(join(server, 'node_modules', spec, 'stainfold.node')), said.stderr);
    const { optionalDependencies } = JSON.parse(readFileSync(join(server, 'package.json'), 'utf8'));
    t.deepEqual(optionalDependencies, { [spec]: VERSION });

    const other = await run('npm', ['install', `${spec}@0.0.9`], { cwd: app, env });
    t.not(other.code, 0);
    t.regex(
      other.stderr,
      new RegExp(`ERESOLVE[^]*peerOptional ${spec}@"${VERSION}" from stainfold@${VERSION}`),
    );
  },
);

const EMBED = `
  const encoder = await loadEncoder('phantom-tiny', { device: 'cpu', threads: 1 });
  const pixels = { data: new Uint8Array(64 * 64 * 3).fill(200), width: 64, height: 64, channels: 3 };
  const { shape } = await encoder.embed([pixels]);
  await encoder.dispose();
`;

here('ESM import', async (t) => {
  const said = await node(`import { loadEncoder } from 'stainfold'; ${EMBED} console.log(shape.join());`);
  t.is(said.stdout, '1,128\n', said.stderr);
});

here('CommonJS require', async (t) => {
  const source = `
    const { loadEncoder, StainfoldError } = require('stainfold');
    (async () => { ${EMBED} console.log(shape.join(), typeof StainfoldError); })();`;
  const said = await node(source, 'program.cjs');
  t.is(said.stdout, '1,128 function\n', said.stderr);
});

here('a forked child and cluster workers, each with the addon of its own', async (t) => {
  const source = `
    import { fork } from 'node:child_process';
    import cluster from 'node:cluster';
    import { once } from 'node:events';
    import { fileURLToPath } from 'node:url';
    import { loadEncoder } from 'stainfold';
    if (process.send) {
      ${EMBED}
      process.send(shape.join());
      process.disconnect();
    } else {
      const child = fork(fileURLToPath(import.meta.url));
      const workers = [cluster.fork(), cluster.fork()];
      const said = await Promise.all([child, ...workers].map((one) => once(one, 'message').then(([text]) => text)));
      const codes = await Promise.all([child, ...workers.map((one) => one.process)].map(async (one) => one.exitCode ?? (await once(one, 'exit'))[0]));
      console.log(said.join(' '), codes.join());
    }`;
  const said = await node(source, 'processes.mjs');
  t.is(said.stdout, '1,128 1,128 1,128 0,0,0\n', said.stderr);
});

here(
  'worker threads: two embed at once, one is terminated in mid-training, the main thread goes on',
  async (t) => {
    const source = `
    import { once } from 'node:events';
    import { existsSync } from 'node:fs';
    import { fileURLToPath } from 'node:url';
    import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
    import { generatePhantom, inspect, loadEncoder, train } from 'stainfold';
    const start = (workerData) => new Worker(fileURLToPath(import.meta.url), { workerData });
    if (!isMainThread && workerData === 'train') {
      await train({ tiles: 'ptiles/manifest.csv', out: 'run', epochs: 500, batchSize: 8, threads: 1, device: 'cpu', checkpointEvery: 2,
        onProgress: ({ step }) => parentPort.postMessage(step) });
    } else if (!isMainThread) {
      ${EMBED}
      parentPort.postMessage(shape.join());
    } else {
      await generatePhantom({ out: 'ptiles', tiles: 16, labs: 1, tileSize: 32 });
      const trainer = start('train');
      const embedders = [start('embed'), start('embed')];
      const said = await Promise.all(embedders.map((one) => once(one, 'message').then(([text]) => text)));
      await new Promise((resolve) => trainer.on('message', () => { if (existsSync('run/checkpoint.safetensors')) resolve(); }));
      const begun = performance.now();
      const code = await trainer.terminate();
      const quick = performance.now() - begun < 5000;
      ${EMBED}
      const { info } = await inspect('run/checkpoint.safetensors');
      console.log(said.join(' '), code, quick, shape.join(), info.kind);
    }`;
    const said = await node(source, 'threads.mjs');
    t.is(said.code, 0, said.stderr);
    t.regex(said.stdout, /^1,128 1,128 1 true 1,128 checkpoint\n$/);
  },
);
