import type { Command } from 'commander';
import { count, facts, formatBytes, formatDuration } from '../format.js';
import { addExamples, addJson, type JsonFlag } from '../options.js';
import { oneOf } from '../parse.js';
import { interruptible, SaidFailure, type Session } from '../session.js';
import { StageProgress } from '../stage-progress.js';

export function registerLibtorch(program: Command, session: Session): void {
  const command = program
    .command('libtorch')
    .summary('install and manage LibTorch')
    .description('Install and manage LibTorch, which stainfold loads and never contains.');
  addExamples(command, [
    ['libtorch install', 'Get the build that fits this machine'],
    ['libtorch path', 'Which one is used now, and why'],
  ]);
  registerInstall(command, session);
  registerList(command, session);
  registerPath(command, session);
  registerVerify(command, session);
  registerRemove(command, session);
}

interface InstallFlags extends JsonFlag {
  variant?: 'auto' | 'cpu' | 'cu130';
  from?: string;
  force?: true;
}

function registerInstall(parent: Command, session: Session): void {
  const command = parent
    .command('install')
    .description(
      'Download LibTorch into the user cache: official wheels, pinned digests; continues what was cut off.',
    )
    .option(
      '--variant <name>',
      'cpu (0.2 GB to download), cu130 (2.9 GB), or auto: cu130 where a recent NVIDIA driver is (default: auto)',
      oneOf('auto', 'cpu', 'cu130'),
    )
    .option('--from <place>', 'folder, file (.whl, .zip) or address (a mirror) to take it from')
    .option('--force', 'install again over a complete install');
  addJson(command);
  addExamples(command, [
    ['libtorch install --variant cpu', 'The small build'],
    ['libtorch install --variant cu130 --from https://mirror.example/wheels', "From a site's mirror"],
    ['libtorch install --from ~/Downloads/libtorch.zip', 'From a file, without a network'],
  ]);
  command.action(({ json, ...flags }: InstallFlags) =>
    interruptible(session, async (signal) => {
      const { terminal } = session;
      const { installLibTorch } = await import('../../index.js');
      const begun = performance.now();
      const stages = new StageProgress(session);
      const installed = await installLibTorch({
        ...flags,
        signal,
        onProgress: ({ stage, done, total }) => stages.update(stage, done, total),
      }).finally(() => stages.finish());
      const seconds = (performance.now() - begun) / 1000;
      if (json) {
        terminal.json({ ...installed, seconds });
        return;
      }
      const { green } = terminal.colours.stdout;
      const { version, variant, folder, bytes } = installed;
      terminal.print(
        `${green('✔')} LibTorch ${version} ${variant} (${formatBytes(bytes)}) in ${folder}, in ${formatDuration(seconds)}`,
      );
    }),
  );
}

function registerList(parent: Command, { terminal }: Session): void {
  const command = parent.command('list').description('List what is installed in the user cache.');
  addJson(command);
  addExamples(command, [['libtorch list', 'Everything that stainfold has installed']]);
  command.action(async ({ json }: JsonFlag) => {
    const { listLibTorch } = await import('../../index.js');
    const installed = await listLibTorch();
    if (json) {
      terminal.json(installed);
      return;
    }
    if (installed.length === 0) terminal.print("Nothing is installed. Run 'stainfold libtorch install'.");
    else
      terminal.print(
        facts(
          installed.map(({ name, bytes, folder }) => [name, `${formatBytes(bytes).padStart(7)}  ${folder}`]),
          terminal.colours.stdout,
        ),
      );
  });
}

function registerPath(parent: Command, { terminal }: Session): void {
  const command = parent
    .command('path')
    .description(
      "Print the folder of the LibTorch that is used now: LIBTORCH, the user cache, or Python's torch.",
    )
    .option('--libtorch <folder>', 'look at this folder only');
  addJson(command);
  addExamples(command, [['libtorch path', 'For a build script: LIBTORCH=$(npx stainfold libtorch path)']]);
  command.action(async ({ json, libtorch }: JsonFlag & { libtorch?: string }) => {
    const { resolveLibTorch } = await import('../../index.js');
    const found = resolveLibTorch(libtorch === undefined ? {} : { path: libtorch });
    if (json) {
      terminal.json(found);
      return;
    }
    const { dim } = terminal.colours.stderr;
    terminal.print(found.root);
    terminal.note(dim(`LibTorch ${found.version} ${found.variant}, from ${SOURCES[found.source]}`));
  });
}

const SOURCES = {
  option: '--libtorch',
  LIBTORCH: 'the variable LIBTORCH',
  cache: 'the user cache',
  python: "Python's torch (LIBTORCH_USE_PYTORCH=1)",
} as const;

function registerVerify(parent: Command, session: Session): void {
  const command = parent
    .command('verify')
    .description('Compare an install with its digests, byte for byte. Exit code 1 where something differs.')
    .argument('[name]', 'as list prints it: 2.13.0-cpu (default: the one in use)');
  addJson(command);
  addExamples(command, [['libtorch verify', 'Is the LibTorch in use whole?']]);
  command.action((name: string | undefined, { json }: JsonFlag) =>
    interruptible(session, async (signal) => {
      const { terminal } = session;
      const stages = new StageProgress(session);
      const { StainfoldError, verifyLibTorch } = await import('../../index.js');
      const report = await verifyLibTorch({
        signal,
        ...(name !== undefined && { name }),
        onProgress: ({ stage, done, total }) => stages.update(stage, done, total),
      }).finally(() => stages.finish());
      const damaged = [...report.missing, ...report.changed];
      if (json) terminal.json(report);
      if (damaged.length > 0 && json) throw new SaidFailure('an install is damaged');
      if (damaged.length > 0) {
        throw new StainfoldError(
          'STAINFOLD_LIBTORCH_LOAD',
          `${count(damaged.length, 'file')} of ${report.files} in ${report.folder} are missing or changed: ${damaged.slice(0, 3).join(', ')}`,
          { hint: "Run 'stainfold libtorch install --force'." },
        );
      }
      if (json) return;
      const { green } = terminal.colours.stdout;
      terminal.print(
        `${green('✔')} LibTorch ${report.version} ${report.variant}: ${count(report.files, 'file')} as installed, in ${report.folder}`,
      );
    }),
  );
}

function registerRemove(parent: Command, { terminal }: Session): void {
  const command = parent
    .command('remove')
    .description('Delete an install from the user cache.')
    .argument('<name>', 'as list prints it: 2.13.0-cpu');
  addJson(command);
  addExamples(command, [['libtorch remove 2.13.0-cpu', 'Free its space']]);
  command.action(async (name: string, { json }: JsonFlag) => {
    const { removeLibTorch } = await import('../../index.js');
    const removed = await removeLibTorch(name);
    if (json) {
      terminal.json(removed);
      return;
    }
    terminal.print(`${terminal.colours.stdout.green('✔')} removed ${removed.folder}`);
  });
}
