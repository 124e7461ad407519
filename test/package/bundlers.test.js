// Invariant: an application that is bundled keeps working: stainfold whole outside the bundle, or its JavaScript inside and the addon out.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { run, unpacked, userEnvironment, whyNot, write } from './consumer.js';
import { obtain } from './tools.js';

const reason = whyNot();
if (reason) console.log(`skipped: ${reason}`);
const [esbuild, webpack] = reason ? [] : [await obtain('esbuild@0.28.2'), await obtain('webpack@5.112.2')];
const having = (tool) => (tool ? test.serial : test.skip);

const PROGRAM = `
import { loadEncoder } from 'stainfold';
const encoder = await loadEncoder(process.argv[2], { device: 'cpu', threads: 1 });
const pixels = { data: new Uint8Array(64 * 64 * 3).fill(200), width: 64, height: 64, channels: 3 };
const { shape } = await encoder.embed([pixels]);
await encoder.dispose();
console.log(shape.join());
`;

let app;
test.before(async () => {
  if (reason) return;
  app = await unpacked({ type: 'module' });
  write(app.folder, { 'program.js': PROGRAM });
});

/** The bundle runs, with the model's path as its argument: a bundle has no files beside it. */
async function works(t, bundle) {
  const model = join(app.folder, 'node_modules/stainfold/models/phantom-tiny.safetensors');
  const said = await run(process.execPath, [bundle, model], { cwd: app.folder, env: userEnvironment() });
  t.is(said.stdout, '1,128\n', said.stderr);
}

/** What carries binaries, and finds them by its own place. */
const NATIVE = ['@stainfold/*', 'sharp', 'h5wasm'];

const bundle = (options) => {
  const { buildSync } = esbuild.require('esbuild');
  const outfile = join(app.folder, options.outfile);
  const base = {
    entryPoints: [join(app.folder, 'program.js')],
    bundle: true,
    platform: 'node',
    format: 'esm',
  };
  const { warnings } = buildSync({ ...base, target: 'node20', logLevel: 'silent', ...options, outfile });
  return { outfile, warnings };
};

having(esbuild)('esbuild, stainfold external', async (t) => {
  const { outfile, warnings } = bundle({ outfile: 'out/external.mjs', external: ['stainfold'] });
  t.deepEqual(warnings, []);
  await works(t, outfile);
});

having(esbuild)("esbuild, stainfold's JavaScript inside, the addon external", async (t) => {
  // Some dependencies are CommonJS and require Node's modules, which esbuild's ESM output leaves to a require of one's own.
  const banner = {
    js: "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);",
  };
  const { outfile } = bundle({ outfile: 'out/inside.mjs', external: NATIVE, banner });
  await works(t, outfile);
});

having(webpack)('webpack, stainfold external', async (t) => {
  const create = webpack.require('webpack');
  const config = {
    mode: 'production',
    target: 'node20',
    context: app.folder,
    entry: './program.js',
    experiments: { outputModule: true },
    output: { path: join(app.folder, 'out'), filename: 'webpack.mjs', module: true, chunkFormat: 'module' },
    externalsType: 'module',
    externals: ['stainfold'],
  };
  const stats = await new Promise((resolve, reject) => {
    create(config, (error, made) => (error ? reject(error) : resolve(made)));
  });
  t.false(stats.hasErrors(), stats.toString({ all: false, errors: true }));
  t.false(stats.hasWarnings(), stats.toString({ all: false, warnings: true }));
  const made = join(app.folder, 'out/webpack.mjs');
  t.true(existsSync(made));
  await works(t, made);
});
