// Every link within the documentation leads to a file that there is, and to a heading that it has.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = fileURLToPath(new URL('../..', import.meta.url));
const markdown = (folder) =>
  readdirSync(join(root, folder), { recursive: true })
    .filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
    .map((name) => join(root, folder, name));
const PAGES = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].map((name) => join(root, name)),
  ...markdown('docs'),
  ...markdown('examples'),
];

const prose = (text) => text.replace(/^```[\s\S]*?^```/gm, '');

/** As GitHub makes them. */
const anchorsOf = (text) =>
  [...prose(text).matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\- _]/gu, '')
      .replaceAll(' ', '-'),
  );

function brokenLinks(path, text) {
  return [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [file, anchor] = link.split('#');
      const target = file === '' ? path : resolve(dirname(path), file);
      if (!existsSync(target)) return true;
      return anchor !== undefined && !anchorsOf(readFileSync(target, 'utf8')).includes(anchor);
    })
    .map((link) => `${relative(root, path)}: ${link}`);
}

test('links', (t) => {
  t.true(PAGES.length > 20, `${PAGES.length} pages`);
  t.deepEqual(
    PAGES.flatMap((path) => brokenLinks(path, readFileSync(path, 'utf8'))),
    [],
  );
});

test('a wrong file and a wrong heading are found', (t) => {
  const path = join(root, 'docs/api.md');
  const text = '[a](none.md) [b](errors.md#none) [c](#here) [d](errors.md)\n\n## Here\n';
  t.deepEqual(brokenLinks(path, text), [
    'docs/api.md: none.md',
    'docs/api.md: errors.md#none',
    'docs/api.md: #here',
  ]);
});
