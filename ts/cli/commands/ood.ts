import type { Command } from 'commander';
import type { TileScores } from '../../index.js';
import { addBatchSize, type EncoderFlags, runEncoder } from '../encoder-run.js';
import { showUnreadable } from '../errors.js';
import { count, formatDuration } from '../format.js';
import { addExamples, addJson, addRuntime, addSelection, type JsonFlag, runtime, TILES } from '../options.js';
import { checkOutput } from '../output-file.js';
import { number, pathEnding } from '../parse.js';
import { timed } from '../progress.js';
import { interruptible, type Session } from '../session.js';

interface OodFlags extends EncoderFlags, JsonFlag {
  out?: string;
  level?: number;
  fit?: true;
}

/** Flagged tiles that are listed; all are in the CSV and the JSON. */
const LISTED = 10;

export function registerOod(program: Command, session: Session): void {
  const command = program
    .command('ood')
    .summary('score how unlike the training tiles each tile is')
    .description(
      'Score how unlike the training tiles each tile is, whatever its lab: folds, pen, blur and foreign stains stand out. ' +
        'A tile is flagged where fewer than --level of the calibration tiles score as high.',
    )
    .argument('<tiles>', TILES);
  addSelection(command);
  command
    .optionsGroup('What to do:')
    .requiredOption('--model <file>', 'model.safetensors (or checkpoint.safetensors) of a run')
    .option('-o, --out <file>', 'also write a line for each tile', pathEnding('.csv'))
    .option('--level <p>', 'p-value below which a tile is flagged, 0 to 1 (default: 0.01)', number(0, 1))
    .option('--fit', 'instead take these tiles for known, and write their statistics into the model');
  addBatchSize(command);
  addRuntime(command);
  addJson(command);
  addExamples(command, [
    ['ood tiles/manifest.csv --model run/model.safetensors -o scores.csv', 'Score every tile of a manifest'],
    [
      'ood tiles/manifest.csv --where site=UMCU --model run/model.safetensors --fit',
      'Give a model without statistics those of its training tiles',
    ],
  ]);
  command.action((tiles: string, flags: OodFlags) =>
    interruptible(session, (signal) =>
      flags.fit ? runFit(session, tiles, flags, signal) : runScore(session, tiles, flags, signal),
    ),
  );
}

async function runFit(
  { terminal }: Session,
  tiles: string,
  { model, where, strict, batchSize, json, ...rest }: OodFlags,
  signal: AbortSignal,
): Promise<void> {
  const { fitOutliers } = await import('../../index.js');
  const { made: result, seconds } = await timed(terminal, 'calibrating', (update) =>
    fitOutliers({
      ...runtime(rest),
      model,
      tiles,
      signal,
      ...(where && { where }),
      ...(strict && { strict }),
      ...(batchSize && { batchSize }),
      onProgress: update,
    }),
  );
  showUnreadable(terminal, result.unreadable);
  if (json) {
    terminal.json({ ...result, seconds });
    return;
  }
  const { green } = terminal.colours.stdout;
  terminal.print(
    `${green('✔')} ${model} now knows ${count(result.tiles, 'tile')}, in ${formatDuration(seconds)}`,
  );
}

async function runScore(
  session: Session,
  tiles: string,
  { out, level, fit: _, json, ...flags }: OodFlags,
  signal: AbortSignal,
): Promise<void> {
  const { terminal } = session;
  if (out) await checkOutput(out, [tiles, flags.model]);
  const { writeScores } = await import('../../index.js');
  const run = await runEncoder(session, tiles, flags, signal, {
    title: 'scoring',
    work: (encoder, listed, options) =>
      encoder.score(
        listed.map(({ path }) => path),
        { ...options, ...(level !== undefined && { level }) },
      ),
  });
  const { result: scores, read, unreadable, device, precision, seconds } = run;
  if (out) await writeScores(out, scores, read);

  const files = read.map(({ file }) => file);
  const flagged = files.filter((_, i) => scores.flagged[i]);
  if (json) {
    const summary = { tiles: files.length, flagged: flagged.length, out: out ?? null, seconds };
    terminal.json({ ...summary, device, precision, files, scores, unreadable });
    return;
  }
  const { green, yellow } = terminal.colours.stdout;
  const share = files.length === 0 ? 0 : (100 * flagged.length) / files.length;
  terminal.print(
    `${flagged.length === 0 ? green('✔') : yellow('!')} ${flagged.length.toLocaleString('en-US')} of ${count(files.length, 'tile')} flagged (${share.toFixed(1)} %), in ${formatDuration(seconds)} on ${device}`,
  );
  for (const line of mostExtreme(scores, files)) terminal.print(`  ${line}`);
  if (flagged.length > LISTED) terminal.print(`  and ${flagged.length - LISTED} more`);
  if (out) terminal.print(`scores in ${out}`);
}

/** The flagged tiles, the most extreme first: what they are, and which part gave them away. */
function mostExtreme(scores: TileScores, files: readonly string[]): string[] {
  const { score, p, part, flagged } = scores;
  const at = (values: Float64Array, i: number) => values[i] as number;
  const order = files.map((_, i) => i).filter((i) => flagged[i]);
  order.sort((a, b) => at(score, b) - at(score, a));
  return order.slice(0, LISTED).map((i) => {
    return `${files[i]}  ${part[i]}: score ${at(score, i).toFixed(2)}, p ${at(p, i).toFixed(4)}`;
  });
}
