// Plausible mistakes: told before any work is done, never passed over, and nothing of the user's is written over.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { temporaryFolder } from '../temporary.js';
import { cli } from './cli.js';

const folder = temporaryFolder('cli-mistakes');
const run = (...args) => cli(args, { cwd: folder });
const ON = ['--device', 'cpu', '--threads', '1'];
const MANIFEST = 'file,site\ntiles/a.png,A\ntiles/b.png,B\n';

test.before(async () => {
  mkdirSync(join(folder, 'tiles'));
  mkdirSync(join(folder, 'broken'));
  writeFileSync(join(folder, 'tiles.csv'), MANIFEST);
  writeFileSync(join(folder, 'broken/a.png'), 'no picture');
  for (const [i, name] of ['a', 'b'].entries()) {
    await sharp({ create: { width: 64, height: 64, channels: 3, background: { r: 180, g: 90 + i, b: 140 } } })
      .png()
      .toFile(join(folder, `tiles/${name}.png`));
  }
});

const refused = async (t, args, message, hint) => {
  const { code, stdout, stderr } = await run(...args);
  t.is(code, 1, args.join(' '));
  t.is(stdout, '');
  t.regex(stderr, message);
  if (hint) t.regex(stderr, hint);
};

test.serial('where no file can be read the command fails', async (t) => {
  const model = ['--model', 'phantom-tiny', ...ON];
  for (const args of [
    ['embed', 'broken', ...model, '-o', 'none.npy'],
    ['ood', 'broken', ...model],
    ['reconstruct', 'broken', ...model, '-o', 'drawn'],
    ['attribute', 'broken', ...model, '-o', 'maps'],
  ]) {
    await refused(t, args, /a\.png .*\nerror STAINFOLD_TILES_EMPTY: The only file cannot be read\./);
  }
  t.false(existsSync(join(folder, 'none.npy')));
});

test.serial('a manifest is not written over by what is made of it', async (t) => {
  writeFileSync(join(folder, 'z.tiles.csv'), MANIFEST);
  const message = /STAINFOLD_OPTION: .* would be written, and is what is read/;
  await refused(t, ['embed', 'tiles.csv', '-o', './tiles.csv', ...ON], message, /Give --out another name/);
  await refused(t, ['embed', 'z.tiles.csv', '-o', 'z.npy', ...ON], message);
  await refused(t, ['ood', 'tiles.csv', '--model', 'phantom-tiny', '-o', 'tiles.csv', ...ON], message);
  await refused(t, ['manifold', 'tiles/a.png', '--out', 'tiles/a.png', ...ON], message);
  t.is(readFileSync(join(folder, 'tiles.csv'), 'utf8'), MANIFEST);
});

test.serial('a folder that is not there is told before the work', async (t) => {
  for (const args of [
    ['embed', 'tiles', '-o', 'no/z.npy'],
    ['pack', 'tiles', '-o', 'no/tiles.pack'],
    ['export', 'phantom-tiny', '--onnx', '-o', 'no/encoder.onnx'],
    [
      'evaluate',
      'tiles.csv',
      '--model',
      'phantom-tiny',
      '--batch-column',
      'site',
      '--report',
      'no/report.html',
    ],
  ]) {
    await refused(
      t,
      args,
      /^error STAINFOLD_FILE_WRITE: Cannot write no\/.*: there is no folder no\.$/m,
      /Make the folder/,
    );
  }
});

test.serial('options that would do nothing are refused', async (t) => {
  const normalize = (...args) => ['normalize', 'tiles', ...args, ...ON];
  await refused(t, normalize('-o', 'n', '--stains', 'hdab'), /--stains is of a fit to a reference/);
  await refused(t, normalize('-o', 'n', '--reference-where', 'site=A'), /--reference-where is of a fit/);
  await refused(
    t,
    normalize('-o', 'n', '--quality', '80'),
    /--quality is of a slide, and --out n is a folder/,
  );
  await refused(
    t,
    normalize('-o', 'n.tiff', '--per', 'slide'),
    /--per is of tiles, and --out n\.tiff is a slide/,
  );
  await refused(t, ['embed', 'tiles', '-o', 'z.npy', '--no-quality'], /--no-quality is for slides/);
  await refused(
    t,
    ['embed', 'tiles/a.png', '--slides', '-o', 'features', '--pictures', 'p'],
    /--pictures is of a report, and there is no --report/,
  );
  t.false(existsSync(join(folder, 'n')));
  const slide = ['normalize', 'slide.svs', '-o', 'made.svs', ...ON];
  await refused(t, slide, /slide\.svs is a slide, and --out made\.svs is no \.tiff/, /ends in \.tiff/);
});

test.serial(
  'a filter that nothing passes, and a mistyped model, are answered with what there is',
  async (t) => {
    await refused(
      t,
      ['embed', 'tiles.csv', '--where', 'site=a', '-o', 'z.npy'],
      /no tiles with site=a: site is 'A', 'B'\./,
    );
    await refused(
      t,
      ['inspect', 'phantom-tin'],
      /no model of that name comes with stainfold/,
      /comes with it: phantom-tiny\./,
    );
  },
);

test.serial('the help of a command that there is none of', async (t) => {
  for (const args of [
    ['help', 'trian'],
    ['trian', '--help'],
  ]) {
    const { code, stderr } = await run(...args);
    t.is(code, 2);
    t.regex(stderr, /unknown command 'trian'\n\(Did you mean train\?\)/);
  }
  t.regex((await run('help', 'libtorch', 'install')).stdout, /^Usage: stainfold libtorch install/);
});

test.serial('wrong usage with --json is a document, too', async (t) => {
  const { code, stdout, stderr } = await run('embed', 'tiles', '--json');
  t.is(code, 2);
  t.deepEqual(JSON.parse(stdout), {
    error: { code: null, message: "required option '-o, --out <path>' not specified", hint: null },
  });
  t.regex(stderr, /required option/);
});

test.serial('pictures that cannot be written: the code, and no half of one', async (t) => {
  writeFileSync(join(folder, 'file'), 'in the way');
  for (const command of ['reconstruct', 'attribute']) {
    await refused(
      t,
      [command, 'tiles', '--model', 'phantom-tiny', '-o', 'file/below', ...ON],
      /STAINFOLD_FILE_WRITE: Cannot write file\/below\/.*ENOTDIR/,
    );
  }
});

test.serial('a model whose weights are no numbers gives no file of embeddings', async (t) => {
  const bytes = readFileSync(new URL('../../models/phantom-tiny.safetensors', import.meta.url));
  bytes.fill(0xff, 8 + Number(bytes.readBigUInt64LE(0)));
  writeFileSync(join(folder, 'nan.safetensors'), bytes);
  const args = ['embed', 'tiles', '--model', 'nan.safetensors', '-o', 'nan.npy', ...ON];
  await refused(t, args, /STAINFOLD_NON_FINITE: The embedding of a\.png holds NaN/);
  t.false(existsSync(join(folder, 'nan.npy')));
});
