// The API's guides promise that their examples run: they do, page by page in the order of docs/api.md, in one folder, in a child
// process that imports the package by its own name.
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = fileURLToPath(new URL('../..', import.meta.url));
const index = readFileSync(join(root, 'docs/api.md'), 'utf8');
const PAGES = [...index.matchAll(/^\| \*\*\[[^\]]+\]\((api\/\w+\.md)\)/gm)].map(([, page]) => page);

function examplesOf(page) {
  const text = readFileSync(join(root, 'docs', page), 'utf8');
  return [...text.matchAll(/^```js\n([\s\S]*?)^```/gm)].map(([, block]) => block);
}

test('docs/api.md lists every page of the API', (t) => {
  t.deepEqual(PAGES.map((page) => basename(page)).sort(), readdirSync(join(root, 'docs/api')).sort());
});

test('the examples of the API run', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'stainfold-docs-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules/stainfold'));
  symlinkSync(join(root, 'node_modules/sharp'), join(folder, 'node_modules/sharp'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');

  // A page is a module of its own: what it uses it imports. Its blocks run from top to bottom.
  const modules = [...PAGES, 'api.md'].map((page, i) => {
    const blocks = examplesOf(page);
    t.true(blocks.length > 0, `${page} has examples`);
    const name = `./page${i}.js`;
    writeFileSync(join(folder, name), blocks.join('\n'));
    return name;
  });
  const program = modules.map((name) => `await import('${name}');\n`).join('');
  writeFileSync(join(folder, 'examples.js'), `${program}console.log('all examples ran');\n`);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['examples.js'], {
    cwd: folder,
    encoding: 'utf8',
  });
  t.is(status, 0, stderr);
  t.regex(stdout, /\[ 1, 128 \] \[ 10, 128 \] \[ 5, 128 \] 64/);
  t.regex(stdout, /STAINFOLD_OPTION_UNKNOWN/);
  t.regex(stdout, /all examples ran/);
});
