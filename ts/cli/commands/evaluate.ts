import type { Command } from 'commander';
import { showUnreadable } from '../errors.js';
import {
  addExamples,
  addJson,
  addRuntime,
  addSelection,
  type JsonFlag,
  type RuntimeFlags,
  runtime,
  type SelectionFlags,
  TILES,
} from '../options.js';
import { integer, pathEnding } from '../parse.js';
import { startProgress } from '../progress.js';
import { interruptible, type Session } from '../session.js';

interface EvaluateFlags extends SelectionFlags, RuntimeFlags, JsonFlag {
  model: string;
  batchColumn: string;
  labelColumn?: string;
  groupColumn?: string;
  source?: string;
  k?: number;
  seed?: number;
  batchSize?: number;
  report?: string;
}

export function registerEvaluate(program: Command, session: Session): void {
  const command = program
    .command('evaluate')
    .summary('measure what an embedding hides and what it shows')
    .description(
      'Measure how far sites stand apart in the embedding, and what a linear probe trained on one reaches on the others; ' +
        'beside it the same for colour statistics and an untrained encoder.',
    )
    .argument('<tiles>', TILES);
  addSelection(command);
  command
    .optionsGroup('What to measure:')
    .requiredOption('--model <file>', 'model.safetensors (or checkpoint.safetensors) of a run')
    .requiredOption(
      '--batch-column <name>',
      'manifest column that should not be readable: site, scanner, lab',
    )
    .option('--label-column <name>', 'manifest column that should be: the classes of the probe')
    .option('--group-column <name>', "patient or slide: the probe's split never cuts through one")
    .option(
      '--source <value>',
      'batch that the probe is trained on (default: the one that the model was trained on)',
    )
    .option('--k <n>', 'neighbours (default: 15)', integer(1))
    .option('--seed <n>', 'of the untrained encoder and of splits (default: 1)', integer(0))
    .option('--batch-size <n>', 'tiles a native call (default: 32)', integer(1, 4096));
  addRuntime(command);
  addJson(command).option(
    '--report <file>',
    'also write a self-contained page: table, scatter, tiles, reconstructions',
    pathEnding('.html', '.htm'),
  );
  addExamples(command, [
    [
      'evaluate tiles/manifest.csv --model run/model.safetensors --batch-column site --label-column atypical --group-column slide',
      'All sites of a manifest, with a probe split by slide',
    ],
    [
      'evaluate tiles/manifest.csv --model run/model.safetensors --batch-column site --label-column atypical --report report.html',
      'The same as a page to share',
    ],
  ]);
  command.action((tiles: string, flags: EvaluateFlags) =>
    interruptible(session, (signal) => runEvaluate(session, tiles, flags, signal)),
  );
}

async function runEvaluate(
  { terminal, commandLine }: Session,
  tiles: string,
  { json, report, ...flags }: EvaluateFlags,
  signal: AbortSignal,
): Promise<void> {
  const { collectReport, conclude, evaluate, writeReport } = await import('../../index.js');
  const { formatEvaluation } = await import('../evaluation-table.js');
  const begun = performance.now();
  const evaluation = await (async () => {
    using progress = startProgress(terminal, 'evaluating');
    return await evaluate({
      ...flags,
      tiles,
      signal,
      onProgress: ({ stage, done, total }) => progress.update(done, total, stage),
    });
  })();
  const conclusion = conclude(evaluation);
  if (report) {
    const { model, where } = flags;
    const data = await collectReport({
      ...runtime(flags),
      evaluation,
      model,
      tiles,
      signal,
      ...(where && { where }),
    });
    await writeReport(report, { ...data, command: commandLine });
  }
  showUnreadable(terminal, evaluation.unreadable);
  if (json) {
    const seconds = (performance.now() - begun) / 1000;
    terminal.json({ ...evaluation, conclusion, report: report ?? null, seconds });
    return;
  }
  const { stdout } = terminal.colours;
  const { batchColumn, labelColumn, batches, tiles: rows } = evaluation;
  const sizes = Object.entries(batches).map(([name, tiles]) => `${name} ${tiles}`);
  terminal.print(
    stdout.dim(
      `${rows.length} tiles by ${batchColumn}: ${sizes.join(', ')}${labelColumn ? `; label ${labelColumn}` : ''}`,
    ),
  );
  terminal.print(`\n${formatEvaluation(evaluation, stdout, terminal.width)}\n`);
  terminal.print(conclusion.sentence);
  if (report) terminal.print(`\n${stdout.dim('report')}  ${report}`);
}
