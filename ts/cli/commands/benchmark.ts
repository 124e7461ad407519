import type { Command } from 'commander';
import type { BenchmarkConfig, BenchmarkProgress, BenchmarkRow, BenchmarkRun } from '../../index.js';
import { benchmarkText } from '../benchmark-table.js';
import { formatDuration } from '../format.js';
import { addExamples, addJson, addRuntime, type JsonFlag, type RuntimeFlags, runtime } from '../options.js';
import { integer, list } from '../parse.js';
import { startProgress } from '../progress.js';
import { interruptible, SaidFailure, type Session } from '../session.js';

interface BenchmarkFlags extends RuntimeFlags, JsonFlag {
  init?: true;
  rows?: string[];
  seeds?: number[];
  out?: string;
  run: boolean;
}

export function registerBenchmark(program: Command, session: Session): void {
  const command = program
    .command('benchmark')
    .summary('run the evidence protocol: LMC against every baseline, on sites never trained on')
    .description(
      'Train every row (autoencoder, classical normalisers, augmentations, CycleGAN, StainGAN, LMC and its ablations) on one site, ' +
        'with the same encoder, budget and seeds, and measure all of them on all sites. ' +
        'Run it again to continue: what is done is not done again.',
    )
    .argument('[config]', 'JSON file; comments are allowed')
    .optionsGroup('What to run:')
    .option('--init', 'write an example to <config> (or print it), and nothing else')
    .option('--rows <names>', "only these, separated by commas (default: the config's)", list)
    .option('--seeds <numbers>', "only these, separated by commas (default: the config's)", (text: string) =>
      list(text).map(integer(0)),
    )
    .option('-o, --out <folder>', "where everything goes (default: the config's)")
    .option('--no-run', 'train nothing: rebuild results, table and report from what is there');
  addRuntime(command);
  addJson(
    command,
    'print JSON lines on stdout and nothing else: {"event":"run",...} for each run, then {"event":"done",...}',
  );
  addExamples(command, [
    ['benchmark --init benchmark.json', 'Write an example to edit'],
    ['benchmark benchmark.json', 'Run it, or continue it after Ctrl-C, a crash or a reboot'],
    ['benchmark benchmark.json --rows none,macenko,lmc --seeds 1', 'A part of it'],
  ]);
  command.action((config: string | undefined, flags: BenchmarkFlags) =>
    flags.init
      ? writeExample(session, config)
      : interruptible(session, (signal) => runBenchmark(session, config, flags, signal)),
  );
}

async function writeExample({ terminal }: Session, path: string | undefined): Promise<void> {
  const { BENCHMARK_EXAMPLE, StainfoldError } = await import('../../index.js');
  if (path === undefined) {
    terminal.print(BENCHMARK_EXAMPLE.trimEnd());
    return;
  }
  const { writeFile } = await import('node:fs/promises');
  try {
    // A config that someone has edited is never overwritten.
    await writeFile(path, BENCHMARK_EXAMPLE, { flag: 'wx' });
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    if (!exists) {
      throw new StainfoldError(
        'STAINFOLD_FILE_WRITE',
        `Cannot write ${path}: ${error instanceof Error ? error.message : error}`,
      );
    }
    throw new StainfoldError('STAINFOLD_OUTPUT_EXISTS', `There is a file at ${path} already`, {
      hint: 'Give another name, or delete it.',
    });
  }
  terminal.print(`${terminal.colours.stdout.green('✔')} ${path}`);
}

async function runBenchmark(
  session: Session,
  path: string | undefined,
  flags: BenchmarkFlags,
  signal: AbortSignal,
): Promise<void> {
  const { terminal, commandLine } = session;
  const { BENCHMARK_ROWS, benchmark, readBenchmarkConfig, StainfoldError } = await import('../../index.js');
  if (path === undefined) {
    throw new StainfoldError('STAINFOLD_OPTION', 'benchmark needs the path of a config file', {
      hint: "'npx stainfold benchmark --init benchmark.json' writes one to edit.",
    });
  }
  const config: BenchmarkConfig = await readBenchmarkConfig(path);
  const width = Math.max(...BENCHMARK_ROWS.map((name) => name.length));
  const { rows, seeds, out, run, json } = flags;
  let bar = startProgress(terminal, 'benchmark', null);
  try {
    const result = await benchmark({
      ...config,
      ...runtime(flags),
      ...(rows && { rows: rows as BenchmarkRow[] }),
      ...(seeds && { seeds }),
      ...(out && { out }),
      run,
      signal,
      onProgress: (progress) => bar.update(progress.part, 1, describe(progress)),
      onRun: (done, count) => {
        bar[Symbol.dispose]();
        bar = startProgress(terminal, 'benchmark', null);
        if (json) terminal.json({ event: 'run', ...done, count });
        else terminal.note(runLine(session, done, count, width));
      },
    });
    bar[Symbol.dispose]();
    if (json) {
      terminal.json({ event: 'done', files: result.files, ...result.results });
    } else {
      const { stdout } = terminal.colours;
      terminal.print(`${benchmarkText(result.results, stdout, terminal.width)}\n`);
      for (const { holds, text } of result.results.claims) {
        terminal.print(
          `${holds === null ? stdout.dim('–') : holds ? stdout.green('✔') : stdout.red('✘')} ${text}`,
        );
      }
      const { report, table, results } = result.files;
      terminal.print(`\n${stdout.dim('report ')}  ${report}`);
      terminal.print(`${stdout.dim('table  ')}  ${table}`);
      terminal.print(`${stdout.dim('results')}  ${results}`);
    }
    if (result.failed.length > 0) {
      const { length } = result.failed;
      terminal.note(
        terminal.colours.stderr.red(
          `${length} run${length === 1 ? '' : 's'} failed; the same command tries them again.`,
        ),
      );
      throw new SaidFailure();
    }
  } catch (error) {
    if (signal.aborted) terminal.note(`Stopped. Continue with:\n  ${commandLine}`);
    throw error;
  } finally {
    bar[Symbol.dispose]();
  }
}

function describe({ row, seed, stage, done, total, secondsLeft }: BenchmarkProgress): string {
  const left = secondsLeft === null ? '' : ` · ${formatDuration(secondsLeft)} left for all`;
  return `${row}, seed ${seed}: ${stage} · run ${done + 1} of ${total}${left}`;
}

/** One line a run: what it took, and the two numbers that matter. */
function runLine(
  { terminal }: Session,
  { row, seed, status, seconds, scores, error }: BenchmarkRun,
  { done, total, secondsLeft }: { done: number; total: number; secondsLeft: number | null },
  width: number,
): string {
  const { green, red, dim } = terminal.colours.stderr;
  const place = `${String(done).padStart(String(total).length)}/${total}`;
  const left = secondsLeft === null || done === total ? '' : dim(` · ${formatDuration(secondsLeft)} left`);
  const name = `${row.padEnd(width)}  seed ${seed}`;
  if (status !== 'done') return `${red('✘')} ${place}  ${name}  ${error?.message ?? 'not done'}${left}`;
  const took = seconds && formatDuration(Object.values(seconds).reduce((sum, part) => sum + part, 0));
  const told = [
    scores?.unseen && `site ${scores.unseen.knn.toFixed(3)} (chance ${scores.unseen.chance.toFixed(3)})`,
    scores?.probe && `probe ${scores.probe.unseenMean.balancedAccuracy.toFixed(3)}`,
  ].filter(Boolean);
  return `${green('✔')} ${place}  ${name}  ${(took ?? '').padStart(12)}  ${told.join(' · ')}${left}`;
}
