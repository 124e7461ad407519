// npm run lint [-- --fix]: biome, clang-format where it is installed, and the type checker. All run; any finding fails.
import { asCommand, files, status, tool, which } from './command.mjs';

asCommand(import.meta.url, async (args) => {
  const fix = args.includes('--fix');
  const sources = [...files('native'), ...files('test/cpp'), ...files('examples/cpp')].filter(
    (path) => /\.(h|cpp|cu|cuh)$/.test(path) && !path.includes('/vendor/'),
  );
  const formatter = which('clang-format');
  if (!formatter) console.log('lint  clang-format is not installed: C++ formatting is not checked');

  const checks = [
    ['biome', tool('biome'), ['check', ...(fix ? ['--write'] : [])]],
    ...(formatter
      ? [['clang-format', formatter, [...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...sources]]]
      : []),
    ['tsc', tool('tsc'), ['-p', 'tsconfig.json', '--noEmit']],
    ['tsc electron', tool('tsc'), ['-p', 'examples/electron/tsconfig.json']],
  ];
  for (const [name, program, given] of checks) {
    const code = await status(program, given);
    console.log(`lint  ${name.padEnd(12)} ${code === 0 ? 'clean' : `findings (status ${code})`}`);
    if (code !== 0) process.exitCode = 1;
  }
});
