import test from 'ava';
import { cli } from './cli.js';

const COMMANDS = [
  ['train'],
  ['embed'],
  ['search'],
  ['reconstruct'],
  ['evaluate'],
  ['benchmark'],
  ['audit'],
  ['ood'],
  ['attribute'],
  ['inspect'],
  ['export'],
  ['manifold'],
  ['normalize'],
  ['separate'],
  ['tile'],
  ['phantom'],
  ['manifest'],
  ['setup'],
  ['pack'],
  ['libtorch'],
  ['libtorch', 'install'],
  ['libtorch', 'list'],
  ['libtorch', 'path'],
  ['libtorch', 'verify'],
  ['libtorch', 'remove'],
  ['doctor'],
];

for (const command of COMMANDS) {
  test.serial(
    `${command.join(' ')} --help shows usage and examples that name existing options`,
    async (t) => {
      const { code, stdout, stderr } = await cli([...command, '--help']);
      t.is(code, 0);
      t.is(stderr, '');
      t.true(stdout.startsWith(`Usage: stainfold ${command.join(' ')} `));
      t.regex(stdout, /\nExamples:\n {2}\S/);
      const [reference, examples] = stdout.split('\nExamples:\n');
      for (const [line] of reference.matchAll(/^ {2}--.*$/gm))
        t.regex(line, / {2,}\S/, 'an option without a description');
      for (const [option] of examples.matchAll(/(?<= )--[a-z-]+/g)) {
        t.true(reference.includes(option), `an example uses ${option}, which the command does not have`);
      }
    },
  );
}

test.serial('--help lists every command', async (t) => {
  const { stdout } = await cli(['--help']);
  for (const [name] of COMMANDS) t.regex(stdout, new RegExp(`^ {2}${name}\\b`, 'm'));
});

test.serial('help wraps at 80 columns, but for the examples', async (t) => {
  const { stdout } = await cli(['train', '--help']);
  const [reference] = stdout.split('\nExamples:\n');
  t.deepEqual(
    reference.split('\n').filter((line) => line.length > 80),
    [],
  );
});

test.serial('--version is the package version', async (t) => {
  const { createRequire } = await import('node:module');
  const { version } = createRequire(import.meta.url)('../../package.json');
  t.is((await cli(['--version'])).stdout, `${version}\n`);
});
