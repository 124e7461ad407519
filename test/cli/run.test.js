// Every command on a small phantom, as a user would type them. Needs LibTorch and the addon.
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { cli } from './cli.js';

const folder = mkdtempSync(join(tmpdir(), 'stainfold-cli-'));
const TRAIN = ['--where', 'lab=0', '--batch-size', '8', '--device', 'cpu', '--threads', '1'];
const run = (args, options) => cli(args, { cwd: folder, ...options });
const manifest = join('tiles', 'manifest.csv');
const model = join('run', 'model.safetensors');

test.after.always(() => rmSync(folder, { recursive: true, force: true }));

test.serial('phantom --json: one document, and the tiles are there', async (t) => {
  const { code, stdout, stderr } = await run([
    'phantom',
    '--out',
    'tiles',
    '--tiles',
    '24',
    '--labs',
    '3',
    '--tile-size',
    '32',
    '--json',
  ]);
  t.is(code, 0, stderr);
  t.is(stdout.trimEnd().split('\n').length, 1);
  const made = JSON.parse(stdout);
  t.is(made.tiles, 72);
  t.deepEqual(made.labs, ['0', '1', '2']);
  t.is(readFileSync(join(folder, manifest), 'utf8').trimEnd().split('\n').length, 73);
});

test.serial('train: a summary on stdout', async (t) => {
  const { code, stdout, stderr } = await run(['train', manifest, '--out', 'run', '--epochs', '2', ...TRAIN]);
  t.is(code, 0, stderr);
  t.regex(stdout, /^✔ 6 steps on 24 tiles in /);
  t.regex(stdout, /^model +.*run.model\.safetensors$/m);
  t.regex(stdout, /^compaction ratio +0\.\d{4} of the variance/m);
  t.true(existsSync(join(folder, model)));
});

test.serial('train again into the same folder is refused', async (t) => {
  const { code, stdout, stderr } = await run(['train', manifest, '--out', 'run', ...TRAIN]);
  t.is(code, 1);
  t.is(stdout, '');
  t.regex(stderr, /^error STAINFOLD_OUTPUT_EXISTS/);
});

test.serial('train --json: an event a line, the last one done', async (t) => {
  const { code, stdout, stderr } = await run([
    'train',
    manifest,
    '--out',
    'run-json',
    '--epochs',
    '2',
    '--json',
    ...TRAIN,
  ]);
  t.is(code, 0, stderr);
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.deepEqual(
    events.map(({ event }) => event),
    [...Array(6).fill('step'), 'done'],
  );
  t.deepEqual(
    events.slice(0, 6).map(({ step }) => step),
    [1, 2, 3, 4, 5, 6],
  );
  t.is(events.at(-1).steps, 6);
});

test.serial(
  'Ctrl-C and SIGTERM save, say how to resume, and the resumed run ends where an uninterrupted one does',
  async (t) => {
    const args = ['train', manifest, '--epochs', '8', ...TRAIN];
    const whole = await run([...args, '--out', 'whole']);
    t.is(whole.code, 0, whole.stderr);
    const digest = (name) =>
      createHash('sha256')
        .update(readFileSync(join(folder, name, 'model.safetensors')))
        .digest('hex');
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ]) {
      const out = `stopped-${signal}`;
      let sent = false;
      const stopped = await run([...args, '--out', out, '--json'], {
        onStdout: (_text, child) => {
          if (sent) return;
          sent = true;
          child.kill(signal);
        },
      });
      t.is(stopped.code, code, stopped.stderr);
      t.regex(
        stopped.stderr,
        /Stopped at step \d+ of 24\. Continue with:\n {2}stainfold train .* --resume\n/,
      );
      t.true(existsSync(join(folder, out, 'checkpoint.safetensors')));
      const resumed = await run([...args, '--out', out, '--resume']);
      t.is(resumed.code, 0, resumed.stderr);
      t.is(digest(out), digest('whole'), signal);
    }
  },
);

test.serial('inspect: for people and for programs', async (t) => {
  const { code, stdout } = await run(['inspect', model]);
  t.is(code, 0);
  t.regex(stdout, /^trained on +24 tiles where lab=0$/m);
  t.regex(stdout, /^epochs +2$/m);
  t.regex(stdout, /^manifold\.labs +64$/m);
  const found = JSON.parse((await run(['inspect', model, '--json'])).stdout);
  t.is(found.info.options.batchSize, 8);
  t.is(found.info.kind, 'model');
});

test.serial('export: a line for people, a document for programs, a format that must be named', async (t) => {
  const { code, stdout, stderr } = await run(['export', '--onnx', model, '-o', 'encoder.onnx']);
  t.is(code, 0, stderr);
  t.regex(stdout, /^✔ tiny encoder in encoder\.onnx \(\d.* MB\), ONNX opset 17$/m);
  t.regex(stdout, /^input +tiles: uint8 \[N,32,32,3\], RGB$/m);
  const document = (await run(['export', '--onnx', model, '-o', 'encoder.onnx', '--json'])).stdout;
  const { bytes, output } = JSON.parse(document);
  t.is(bytes, readFileSync(join(folder, 'encoder.onnx')).length);
  t.is(output.name, 'embedding');
  t.is((await run(['export', model, '-o', 'encoder.onnx'])).code, 2);
  t.is((await run(['export', '--onnx', model, '-o', 'encoder.pt'])).code, 2);
});

test.serial('embed: unreadable files are listed and skipped; --strict fails', async (t) => {
  const mixed = mkdtempSync(join(folder, 'mixed-'));
  const [tile] = readdirSync(join(folder, 'tiles', 'tiles'));
  writeFileSync(join(mixed, 'a.png'), readFileSync(join(folder, 'tiles', 'tiles', tile)));
  for (let i = 0; i < 12; i++) writeFileSync(join(mixed, `broken-${i}.png`), 'not an image');
  const { code, stdout, stderr } = await run(['embed', mixed, '--model', model, '--out', 'z.csv']);
  t.is(code, 0, stderr);
  t.regex(stdout, /^✔ 1 tile of \d+ dimensions in z\.csv, in .* on /);
  t.regex(stderr, /12 files could not be read and were skipped/);
  t.is(stderr.match(/broken-\d+\.png/g).length, 10);
  t.regex(stderr, /and 2 more/);
  t.is(readFileSync(join(folder, 'z.csv'), 'utf8').trimEnd().split('\n').length, 2);

  const strict = await run(['embed', mixed, '--model', model, '--out', 'z2.csv', '--strict']);
  t.is(strict.code, 1);
  t.regex(strict.stderr, /^error STAINFOLD_TILE_UNREADABLE/);
  t.false(existsSync(join(folder, 'z2.csv')));
});

test.serial('embed --json: one document', async (t) => {
  const { code, stdout, stderr } = await run([
    'embed',
    manifest,
    '--where',
    'lab=1',
    '--model',
    model,
    '--out',
    'z.npy',
    '--json',
  ]);
  t.is(code, 0, stderr);
  const done = JSON.parse(stdout);
  t.is(done.tiles, 24);
  t.deepEqual(done.unreadable, []);
  for (const file of done.files) t.true(existsSync(join(folder, file)), file);
});

test.serial('embed --profile: a table, the limit named, and a trace beside the output', async (t) => {
  const args = ['embed', manifest, '--model', model, '--out', 'p.npy', '--device', 'cpu', '--profile'];
  const { code, stdout, stderr } = await run([...args, '--json']);
  t.is(code, 0, stderr);
  const { profile } = JSON.parse(stdout);
  t.is(profile.trace, 'p.trace.json');
  const stages = profile.stages.map(({ stage }) => stage);
  t.deepEqual(stages, ['read', 'decode', 'queue', 'copy', 'forward', 'write']);
  t.is(profile.stages[1].count, 72);
  for (const { share } of profile.stages) t.true(share >= 0 && share <= 1);
  for (const stage of stages) t.regex(stderr, new RegExp(`^${stage} .* %`, 'm'));
  t.true(stderr.includes(profile.summary));
  const { traceEvents } = JSON.parse(readFileSync(join(folder, 'p.trace.json'), 'utf8'));
  const decodes = traceEvents.filter(({ name, ph }) => name === 'decode' && ph === 'X');
  t.is(decodes.length, 72);
  t.true(decodes.every(({ ts, dur }) => ts >= 0 && dur >= 0));
});

test.serial(
  'pack: every command takes it for the manifest, and the model is the same to the byte',
  async (t) => {
    const packed = await run(['pack', manifest, '-o', 'tiles.pack', '--json']);
    t.is(packed.code, 0, packed.stderr);
    t.is(JSON.parse(packed.stdout).tiles, 72);
    t.regex(
      (await run(['pack', 'tiles.pack', '--check'])).stdout,
      /72 tiles in tiles\.pack, .* as they were written/,
    );
    const trained = await run([
      'train',
      'tiles.pack',
      '--out',
      'run-pack',
      '--epochs',
      '2',
      '--profile',
      ...TRAIN,
    ]);
    t.is(trained.code, 0, trained.stderr);
    t.regex(trained.stderr, /^backward .* %/m);
    t.regex(trained.stderr, /^trace {2}run-pack.trace\.json$/m);
    const digest = (name) =>
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex');
    t.is(digest(join('run-pack', 'model.safetensors')), digest(model));
    for (const [name, source] of Object.entries({ 'from-pack': 'tiles.pack', 'from-files': manifest })) {
      const { code, stderr } = await run([
        'embed',
        source,
        '--model',
        model,
        '--out',
        `${name}.npy`,
        '--device',
        'cpu',
      ]);
      t.is(code, 0, stderr);
    }
    t.is(digest('from-pack.npy'), digest('from-files.npy'));
    const columns = ['--batch-column', 'lab', '--label-column', 'tissue', '--device', 'cpu', '--json'];
    const scores = await Promise.all(
      ['tiles.pack', manifest].map((source) => run(['evaluate', source, '--model', model, ...columns])),
    );
    const [fromPack, fromFiles] = scores.map(({ code, stdout, stderr }) => {
      t.is(code, 0, stderr);
      return JSON.parse(stdout).spaces ?? JSON.parse(stdout);
    });
    t.deepEqual(
      JSON.parse(JSON.stringify(fromPack), withoutTime),
      JSON.parse(JSON.stringify(fromFiles), withoutTime),
    );
    const missing = await run(['pack', manifest]);
    t.is(missing.code, 1);
    t.regex(missing.stderr, /Say where the pack goes/);
  },
);

/** What two runs of one command may differ in. */
const withoutTime = (key, value) =>
  /seconds|tiles$|source|manifest|path/i.test(key) && typeof value !== 'object' ? undefined : value;

test.serial('Ctrl-C while packing: nothing is left, exit code 130', async (t) => {
  mkdirSync(join(folder, 'many'));
  const [one] = readdirSync(join(folder, 'tiles', 'tiles'));
  for (let i = 0; i < 3000; i++)
    copyFileSync(join(folder, 'tiles', 'tiles', one), join(folder, 'many', `${i}.png`));
  const before = readdirSync(folder).sort();
  let sent = false;
  const stopping = run(['pack', 'many', '-o', 'many.pack'], {
    onStderr: (_text, child) => {
      if (!sent) child.kill('SIGINT');
      sent = true;
    },
  });
  const { code, stderr } = await stopping;
  t.is(code, 130, stderr);
  t.deepEqual(readdirSync(folder).sort(), before);
  rmSync(join(folder, 'many'), { recursive: true });
});

test.serial('reconstruct: a PNG for each tile, under its name', async (t) => {
  const { code, stdout, stderr } = await run([
    'reconstruct',
    manifest,
    '--where',
    'lab=2',
    '--model',
    model,
    '--out',
    'drawn',
  ]);
  t.is(code, 0, stderr);
  t.regex(stdout, /^✔ 24 pictures in drawn, /);
  const files = readdirSync(join(folder, 'drawn', 'tiles'));
  t.is(files.length, 24);
  const png = readFileSync(join(folder, 'drawn', 'tiles', files[0]));
  t.is(png.subarray(1, 4).toString(), 'PNG');
  t.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [32, 32]);
});

test.serial('evaluate: a table, a sentence, a page', async (t) => {
  const { code, stdout, stderr } = await run([
    'evaluate',
    manifest,
    '--model',
    model,
    '--batch-column',
    'lab',
    '--label-column',
    'tissue',
    '--k',
    '5',
    '--report',
    'report.html',
  ]);
  t.is(code, 0, stderr);
  t.regex(stdout, /^72 tiles by lab: 0 24, 1 24, 2 24; label tissue$/m);
  for (const name of ['colour statistics', 'untrained encoder', 'trained encoder']) {
    t.regex(stdout, new RegExp(`^${name} +\\d+ +-?\\d\\.\\d{3} `, 'm'));
  }
  t.regex(
    stdout,
    /^With the trained encoder, a tile's lab can be read from its neighbours with \d+\.\d % accuracy/m,
  );
  const page = readFileSync(join(folder, 'report.html'), 'utf8');
  t.true(page.includes('Tiles and their reconstructions'));
  t.true(page.includes('stainfold evaluate'));
  t.is(page.match(/<img /g).length, 2 * 3 * 7);
});

test.serial('evaluate --json: one document with the verdict', async (t) => {
  const { code, stdout, stderr } = await run([
    'evaluate',
    manifest,
    '--model',
    model,
    '--batch-column',
    'lab',
    '--k',
    '5',
    '--json',
  ]);
  t.is(code, 0, stderr);
  const evaluation = JSON.parse(stdout);
  t.is(evaluation.rows.length, 3);
  t.is(evaluation.scatter['trained encoder'].length, 144);
  t.is(evaluation.conclusion.comparisons.length, 2);
  t.is(evaluation.report, null);
});

test.serial('doctor --json: one document, and it agrees with the exit code', async (t) => {
  const { code, stdout } = await run(['doctor', '--json']);
  const report = JSON.parse(stdout);
  t.is(report.ok, true, stdout);
  t.is(code, 0);
});
