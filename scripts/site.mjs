// npm run site [-- --out DIR]: the reference of the public API as a web site, from the comments in ts/ and the guides in docs/.
//
// TypeDoc is no dependency: npm fetches it for this. It brings the last TypeScript that has the JavaScript API which it needs.
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { asCommand, run } from './command.mjs';

const TOOLS = ['typedoc@0.28.20', 'typescript@5.9.3'];
const GUIDES = [
  'install',
  'api',
  ...pages('api'),
  'cli',
  ...pages('cli'),
  'slides',
  'benchmark',
  'performance',
  'method',
  'errors',
  'models',
  'architecture',
];

/** Of a guide that has a folder of them. */
function pages(guide) {
  return readdirSync(new URL(`../docs/${guide}`, import.meta.url)).map(
    (name) => `${guide}/${name.replace(/\.md$/, '')}`,
  );
}

asCommand(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: { out: { type: 'string', default: 'dist/site' } } });
  await run('npm', [
    'exec',
    '--yes',
    ...TOOLS.map((tool) => `--package=${tool}`),
    '--',
    'typedoc',
    ...['--tsconfig', 'tsconfig.json', '--name', 'stainfold', '--readme', 'README.md', '--out', values.out],
    ...[
      '--excludeInternal',
      '--excludePrivate',
      '--disableSources',
      '--hideGenerator',
      '--treatWarningsAsErrors',
    ],
    ...[
      '--validation.notExported',
      'false',
      '--validation.invalidLink',
      'false',
      '--validation.invalidPath',
      'false',
    ],
    ...['javascript', 'typescript', 'js', 'ts', 'json', 'bash', 'python'].flatMap((name) => [
      '--highlightLanguages',
      name,
    ]),
    ...GUIDES.flatMap((name) => ['--projectDocuments', `docs/${name}.md`]),
    'ts/index.ts',
  ]);
});
