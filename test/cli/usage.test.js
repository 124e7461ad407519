// Wrong usage: exit code 2, nothing on stdout, the mistake named, a way out.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { temporaryFolder } from '../temporary.js';
import { cli, MAIN } from './cli.js';

const WRONG = [
  [['trian'], /unknown command 'trian'\n\(Did you mean train\?\)/],
  [['train', 'x', '--out', 'y', '--sead', '3'], /unknown option '--sead'\n\(Did you mean --seed\?\)/],
  [['train', 'x'], /required option '-o, --out <folder>' not specified/],
  [['train', '--out', 'y'], /missing required argument 'tiles'/],
  [['train', 'x', 'y', '--out', 'z'], /too many arguments/],
  [
    ['train', 'x', '--out', 'y', '--epochs', '3.5'],
    /'3\.5' is invalid\. Expected a whole number of at least 1\./,
  ],
  [['train', 'x', '--out', 'y', '--epochs', '1e3'], /'1e3' is invalid/],
  [['train', 'x', '--out', 'y', '--epochs', '0'], /'0' is invalid/],
  [['train', 'x', '--out', 'y', '--warmup', '0.6'], /Expected a number from 0 to 0\.5\./],
  [['train', 'x', '--out', 'y', '--warmup', ''], /Expected a number/],
  [['train', 'x', '--out', 'y', '--size', 'huge'], /Expected tiny, small or base\./],
  [['train', 'x', '--out', 'y', '--device', 'gpu'], /Expected auto, cpu, cuda or cuda:N\./],
  [['train', 'x', '--out', 'y', '--where', 'site'], /Expected COLUMN=VALUE\./],
  [['train', 'x', '--out', 'y', '--where', 'a=1', '--where', 'a=2'], /a is given twice\./],
  [['train', 'x', '--out', 'y', '--weight', 'adverse=1'], /Expected one of compaction, scatter/],
  [['embed', 'x', '--model', 'm', '--out', 'z.h5'], /ends in \.npy or \.safetensors or \.csv/],
  [['evaluate', 'x', '--model', 'm', '--batch-column', 'b', '--report', 'r.pdf'], /ends in \.html or \.htm/],
  [['libtorch', 'instal'], /unknown command 'instal'\n\(Did you mean install\?\)/],
];

for (const [args, message] of WRONG) {
  test.serial(`stainfold ${args.join(' ')}`, async (t) => {
    const { code, stdout, stderr } = await cli(args);
    t.is(code, 2);
    t.is(stdout, '');
    t.regex(stderr, message);
    t.notRegex(stderr, / {4}at /, 'a stack is no answer to a user');
  });
}

test.serial('without a command: help on stderr, exit code 2', async (t) => {
  const { code, stdout, stderr } = await cli([]);
  t.is(code, 2);
  t.is(stdout, '');
  t.regex(stderr, /^Usage: stainfold/);
});

test.serial('a failure: code, fact and remedy, exit code 1', async (t) => {
  const { code, stdout, stderr } = await cli(['inspect', 'no-such-file']);
  t.is(code, 1);
  t.is(stdout, '');
  const [first, second, ...rest] = stderr.trimEnd().split('\n');
  t.regex(first, /^error STAINFOLD_FILE_NOT_FOUND: .*no-such-file/);
  t.regex(second, /^→ Check the path, or name a model that comes with it: phantom-tiny\.$/);
  t.deepEqual(rest, []);
});

test.serial('a failure with --json: one document on stdout', async (t) => {
  const { code, stdout, stderr } = await cli(['inspect', 'no-such-file', '--json']);
  t.is(code, 1);
  const { error } = JSON.parse(stdout);
  t.is(error.code, 'STAINFOLD_FILE_NOT_FOUND');
  t.is(error.hint, 'Check the path, or name a model that comes with it: phantom-tiny.');
  t.regex(stderr, /^error STAINFOLD_FILE_NOT_FOUND/);
});

test.serial('colours follow NO_COLOR and FORCE_COLOR', async (t) => {
  const folder = temporaryFolder('cli');
  writeFileSync(join(folder, 'm.safetensors'), 'x');
  const ESCAPE = String.fromCharCode(27);
  const plain = await cli(['inspect', 'm.safetensors'], { cwd: folder });
  t.false(plain.stderr.includes(ESCAPE));
  const forced = await cli(['inspect', 'm.safetensors'], {
    cwd: folder,
    env: { NO_COLOR: undefined, FORCE_COLOR: '1' },
  });
  t.true(forced.stderr.includes(ESCAPE));
});

test.serial('a reader that leaves ends the output, not the run', async (t) => {
  const code = await new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, 'train', '--help'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.destroy();
    child.on('close', resolve);
  });
  t.is(code, 0);
});
