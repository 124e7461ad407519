// Invariant: what is published is what a user needs and no more, and other people's linters and TypeScript agree with it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { compareVersions } from '../../lib/libtorch/layout.js';
import { run, unpacked, whyNot, write } from './consumer.js';
import { obtain } from './tools.js';

const TSC = fileURLToPath(new URL('../../node_modules/.bin/tsc', import.meta.url));

const reason = whyNot();
if (reason) console.log(`skipped: ${reason}`);
const here = reason ? test.skip : test.serial;
const [publint, attw] = reason
  ? []
  : [await obtain('publint@0.3.25'), await obtain('@arethetypeswrong/cli@0.18.5')];
const having = (tool) => (tool ? test.serial : test.skip);

let app;
test.before(async () => {
  if (!reason) app = await unpacked({ type: 'module' });
});

here('the main package: code, types, docs, headers, the small model; under 15 MB', (t) => {
  const { files, bytes, unpackedBytes } = app.main;
  t.log(`${files.length} files, ${bytes} bytes packed, ${unpackedBytes} unpacked`);
  t.true(bytes < 15e6, `${bytes} bytes packed`);
  t.true(unpackedBytes < 15e6, `${unpackedBytes} bytes unpacked`);
  const foreign = files
    .map(({ path }) => path)
    .filter(
      (path) =>
        !/^(?:lib\/.+\.(?:js|d\.ts|cjs|d\.cts)|docs\/.+\.(?:md|json|svg|png)|native\/include\/stainfold\/.+\.h|models\/.+\.safetensors)$/.test(
          path,
        ) && !['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'].includes(path),
    );
  t.deepEqual(foreign, []);
  for (const path of [
    'lib/index.js',
    'lib/index.d.ts',
    'lib/cli/main.js',
    'lib/cli/stainfold.cjs',
    'models/phantom-tiny.safetensors',
  ])
    t.true(
      files.some((file) => file.path === path),
      path,
    );
});

here(
  'the platform package: two binaries and what describes them; no path of the machine that built them',
  async (t) => {
    const { files, bytes, folder } = app.platform;
    t.log(`${files.length} files, ${bytes} bytes packed`);
    t.true(bytes < 15e6);
    const { readFile } = await import('node:fs/promises');
    for (const name of ['stainfold.node', 'preload.node']) {
      const text = await readFile(join(folder, name), 'latin1');
      t.deepEqual(text.match(/\/(?:home|root|work|tmp)\/[\w./-]{3,}/g) ?? [], [], name);
    }
  },
);

here('docs/install.md states the floor that the binaries have, or a higher one', (t) => {
  const { abi } = app.platform.build;
  const docs = readFileSync(join(app.main.folder, 'docs/install.md'), 'utf8');
  const [, glibc, glibcxx] =
    docs.match(/^\| `@stainfold\/linux-x64-cpu` .*glibc ([\d.]+).*GLIBCXX_([\d.]+)/m) ?? [];
  t.log(`needs glibc ${abi.glibc}, GLIBCXX ${abi.glibcxx}, CXXABI ${abi.cxxabi}`);
  t.true(compareVersions(abi.glibc, glibc) <= 0, `glibc ${abi.glibc}, documented ${glibc}`);
  t.true(compareVersions(abi.glibcxx, glibcxx) <= 0, `GLIBCXX ${abi.glibcxx}, documented ${glibcxx}`);
});

const USE = `
import { type Embeddings, type Encoder, doctor, ERRORS, type ErrorCode, loadEncoder, StainfoldError, train } from 'stainfold';
export async function use(): Promise<Float32Array> {
  const result = await train({ tiles: 'tiles.csv', out: 'run', seed: 1, onProgress: ({ step }) => step satisfies number });
  await using encoder: Encoder = await loadEncoder(result.model, { device: 'cpu' });
  const { data, shape }: Embeddings = await encoder.embed(['a.png']);
  shape[1] satisfies number;
  const code: ErrorCode = new StainfoldError('STAINFOLD_OPTION', 'x').code;
  ERRORS[code] satisfies string;
  (await doctor()).checks[0]?.status satisfies 'ok' | 'warn' | 'fail' | undefined;
  // @ts-expect-error an option that does not exist
  await train({ tiles: 'a', out: 'b', epoch: 1 });
  return data;
}
`;

for (const [module, moduleResolution, file] of [
  ['node16', 'node16', 'use.mts'],
  ['nodenext', 'nodenext', 'use.cts'],
  ['esnext', 'bundler', 'use.ts'],
]) {
  here(`TypeScript with moduleResolution ${moduleResolution}, ${file}`, async (t) => {
    const compilerOptions = {
      module,
      moduleResolution,
      target: 'es2022',
      lib: ['es2023', 'esnext.disposable'],
      strict: true,
      noEmit: true,
      types: ['node'],
    };
    write(app.folder, {
      [file]: USE,
      'tsconfig.json': JSON.stringify({ compilerOptions, files: [file] }),
    });
    const said = await run(TSC, ['-p', 'tsconfig.json'], { cwd: app.folder, env: process.env });
    t.is(said.code, 0, said.stdout);
  });
}

having(publint)('publint finds nothing', async (t) => {
  const said = await run(publint.bin('publint'), ['run', app.main.folder, '--strict'], {
    cwd: app.folder,
    env: { ...process.env, NO_COLOR: '1' },
  });
  t.is(said.code, 0, `${said.stdout}${said.stderr}`);
});

having(attw)(
  'are-the-types-wrong finds nothing; the package is ESM, which require() loads too',
  async (t) => {
    const args = [app.main.tarball, '--profile', 'esm-only', '--no-emoji', '--no-color'];
    const said = await run(attw.bin('attw'), args, { cwd: app.folder, env: process.env });
    t.is(said.code, 0, `${said.stdout}${said.stderr}`);
  },
);
