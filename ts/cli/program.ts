import { Command, CommanderError } from 'commander';
import { registerAttribute } from './commands/attribute.js';
import { registerAudit } from './commands/audit.js';
import { registerBenchmark } from './commands/benchmark.js';
import { registerDoctor } from './commands/doctor.js';
import { registerEmbed } from './commands/embed.js';
import { registerEvaluate } from './commands/evaluate.js';
import { registerExport } from './commands/export.js';
import { registerInspect } from './commands/inspect.js';
import { registerLibtorch } from './commands/libtorch.js';
import { registerManifest } from './commands/manifest.js';
import { registerManifold } from './commands/manifold.js';
import { registerNormalize } from './commands/normalize.js';
import { registerOod } from './commands/ood.js';
import { registerPack } from './commands/pack.js';
import { registerPhantom } from './commands/phantom.js';
import { registerReconstruct } from './commands/reconstruct.js';
import { registerSearch } from './commands/search.js';
import { registerSeparate } from './commands/separate.js';
import { registerSetup } from './commands/setup.js';
import { registerTile } from './commands/tile.js';
import { registerTrain } from './commands/train.js';
import { describeError, showError } from './errors.js';
import { shellQuote } from './format.js';
import { Interrupted } from './interrupt.js';
import { SaidFailure, type Session } from './session.js';
import { createTerminal } from './terminal.js';
import { version } from './version.js';

const EXIT = { ok: 0, failure: 1, usage: 2 } as const;

/** Runs one command line and returns the exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted. */
export async function main(args: readonly string[]): Promise<number> {
  const terminal = createTerminal(process.stdout, process.stderr);
  const session = { terminal, commandLine: ['stainfold', ...args.map(shellQuote)].join(' ') };
  try {
    const program = createProgram(session);
    await program.parseAsync(meant(program, args), { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok;
      if (args.includes('--json')) terminal.json({ error: usageError(error) });
      return EXIT.usage;
    }
    if (error instanceof SaidFailure) return EXIT.failure;
    if (error instanceof Interrupted) return error.exitCode;
    if (args.includes('--json')) terminal.json({ error: describeError(error) });
    showError(terminal, error);
    return EXIT.failure;
  }
}

/** Commander answers `help trian` and `trian --help` with the help of all: a mistyped command is to be told. */
function meant(program: Command, args: readonly string[]): readonly string[] {
  const [first, ...rest] = args[0] === 'help' && args.length > 1 ? [...args.slice(1), '--help'] : args;
  if (first === undefined) return args;
  const known =
    first.startsWith('-') || first === 'help' || program.commands.some((one) => one.name() === first);
  return known ? [first, ...rest] : [first];
}

/** Its words are on stderr already. */
function usageError({ message }: CommanderError): ReturnType<typeof describeError> {
  const [what = '', ...hint] = message.replace(/^error: /, '').split('\n');
  return { code: null, message: what, hint: hint.join(' ') || null };
}

function createProgram(session: Session): Command {
  const program = new Command('stainfold')
    .description('Stain-invariant embeddings for histopathology: train on one site, embed every site.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show the help of a command')
    .configureHelp({ showGlobalOptions: false })
    .addHelpText(
      'after',
      `
A first run, without data:
  $ stainfold phantom --out tiles
  $ stainfold train tiles/manifest.csv --where lab=0 --out run
  $ stainfold evaluate tiles/manifest.csv --model run/model.safetensors --batch-column lab --label-column tissue

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
`,
    )
    .exitOverride();
  program.commandsGroup('Commands:');
  for (const register of [
    registerTrain,
    registerEmbed,
    registerSearch,
    registerReconstruct,
    registerEvaluate,
    registerBenchmark,
    registerAudit,
    registerOod,
    registerAttribute,
    registerInspect,
    registerExport,
    registerManifold,
    registerNormalize,
    registerSeparate,
    registerTile,
    registerPhantom,
    registerManifest,
    registerPack,
  ]) {
    register(program, session);
  }
  program.commandsGroup('This machine:');
  registerSetup(program, session);
  registerLibtorch(program, session);
  registerDoctor(program, session);
  inheritSettings(program);
  return program;
}

/** Commander copies settings only to commands made by `command()`: these are added whole. */
function inheritSettings(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent).exitOverride();
    command.showHelpAfterError(`(see ${fullName(command)} --help)`);
    inheritSettings(command);
  }
}

function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}
