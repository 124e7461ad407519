// docs/api.md promises that its examples run: they do, in order, in one folder, in a child process that imports the package by
// its own name.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('the examples of docs/api.md run', (t) => {
  const blocks = [
    ...readFileSync(join(root, 'docs/api.md'), 'utf8').matchAll(/^```js\n([\s\S]*?)^```/gm),
  ].map((m) => m[1]);
  t.true(blocks.length >= 6, `${blocks.length} examples found`);

  const folder = mkdtempSync(join(tmpdir(), 'stainfold-docs-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules/stainfold'));
  symlinkSync(join(root, 'node_modules/sharp'), join(folder, 'node_modules/sharp'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');

  // Imports are hoisted, so the blocks make one module that runs from top to bottom.
  writeFileSync(join(folder, 'examples.js'), `${blocks.join('\n')}\nconsole.log('all examples ran');\n`);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['examples.js'], {
    cwd: folder,
    encoding: 'utf8',
  });
  t.is(status, 0, stderr);
  t.regex(stdout, /\[ 1, 128 \] \[ 10, 128 \] \[ 5, 128 \] 64/);
  t.regex(stdout, /STAINFOLD_OPTION_UNKNOWN/);
  t.regex(stdout, /all examples ran/);
});
