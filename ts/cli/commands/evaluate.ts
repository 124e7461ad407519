import type { Command } from 'commander';
import type { Evaluation } from '../../index.js';
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
import { checkOutput } from '../output-file.js';
import { integer, pathEnding } from '../parse.js';
import { startProgress } from '../progress.js';
import { interruptible, type Session } from '../session.js';

interface EvaluateFlags extends SelectionFlags, RuntimeFlags, JsonFlag {
  model?: string;
  embeddings?: string[];
  batchColumn: string;
  labelColumn?: string;
  groupColumn?: string;
  pairColumn?: string;
  source?: string;
  k?: number;
  resamples?: number;
  permutations?: number;
  seed?: number;
  batchSize?: number;
  report?: string;
}

export function registerEvaluate(program: Command, session: Session): void {
  const command = program
    .command('evaluate')
    .summary('measure what an embedding hides and what it shows')
    .description(
      'Measure how far sites stand apart in an embedding, and what probes trained on one reach on the others: of a model, beside ' +
        'colour statistics and an untrained encoder, or of embeddings that any tool wrote.',
    )
    .argument('<tiles>', TILES);
  addSelection(command);
  command
    .optionsGroup('What to measure:')
    .option('--model <file>', 'model.safetensors (or checkpoint.safetensors) of a run')
    .option(
      '--embeddings <files...>',
      'instead of a model: .h5 (TRIDENT, CLAM, STAMP), .npy, .safetensors or .parquet, a row of the table each',
    )
    .requiredOption(
      '--batch-column <name>',
      'manifest column that should not be readable: site, scanner, lab',
    )
    .option('--label-column <name>', 'manifest column that should be: the classes of the probe')
    .option(
      '--group-column <name>',
      'patient or slide: no split cuts through one, intervals resample whole ones',
    )
    .option(
      '--pair-column <name>',
      'the same for the same tissue in several batches: retrieval across stains',
    )
    .option(
      '--source <value>',
      'batch that probes are trained on (default: the one that the model was trained on)',
    )
    .option('--k <n>', 'neighbours (default: 15)', integer(1))
    .option('--resamples <n>', 'behind every interval (default: 1000)', integer(100, 100_000))
    .option('--permutations <n>', 'behind the p-value of R², 0: none (default: 199)', integer(0, 100_000))
    .option('--seed <n>', 'of the untrained encoder, splits, resamples (default: 1)', integer(0))
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
    [
      'evaluate tiles/manifest.csv --embeddings uni.h5 conch.parquet --batch-column site --label-column atypical --source UMCU',
      "Other tools' embeddings, side by side",
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
  if (report) await checkOutput(report, []);
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
    // Embeddings of another tool come without pictures.
    const data =
      model === undefined
        ? { evaluation, ...(evaluation.source !== null && { source: evaluation.source }) }
        : await collectReport({
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
  if (labelColumn !== null) terminal.print(stdout.dim(intervalNote(evaluation)));
  if (report) terminal.print(`\n${stdout.dim('report')}  ${report}`);
}

/** What the intervals mean, and where they are too narrow. */
function intervalNote({ bootstrap: { resamples, unit } }: Evaluation): string {
  const note = `Below a value: 95 % interval, ${resamples} resamples of whole`;
  if (unit !== 'tile') return `${note} ${unit}s.`;
  return `${note} tiles: too narrow where tiles share a slide (--group-column).`;
}
