import type { Command } from 'commander';
import { addBatchSize, type EncoderFlags, runEncoder } from '../encoder-run.js';
import { count, formatDuration } from '../format.js';
import { addExamples, addJson, addRuntime, addSelection, type JsonFlag, TILES } from '../options.js';
import { pathEnding } from '../parse.js';
import { addProfile, finishProfile, type ProfileFlag } from '../profile.js';
import { interruptible, type Session } from '../session.js';

interface EmbedFlags extends EncoderFlags, ProfileFlag, JsonFlag {
  out: string;
}

export function registerEmbed(program: Command, session: Session): void {
  const command = program
    .command('embed')
    .summary('embed tiles with a trained encoder')
    .description('Embed tiles with a trained encoder: one vector for each, float32.')
    .argument('<tiles>', TILES);
  addSelection(command);
  command
    .optionsGroup('What to do:')
    .option(
      '--model <file>',
      'model.safetensors (or checkpoint.safetensors) of a run, or the name of a model that comes with stainfold',
      'phantom-tiny',
    )
    .requiredOption(
      '-o, --out <file>',
      'where the embeddings go: .npy, .safetensors or .csv',
      pathEnding('.npy', '.safetensors', '.csv'),
    );
  addBatchSize(command);
  addRuntime(command);
  addJson(command);
  addProfile(command, 'a .trace.json beside the output');
  addExamples(command, [
    ['embed tiles --model run/model.safetensors --out z.npy', 'A folder of images, as a matrix for NumPy'],
    [
      'embed tiles/manifest.csv --where site=XR --model run/model.safetensors --out xr.csv',
      'One site of a manifest, as a table with file names',
    ],
  ]);
  command.action((tiles: string, flags: EmbedFlags) =>
    interruptible(session, (signal) => runEmbed(session, tiles, flags, signal)),
  );
}

async function runEmbed(
  session: Session,
  tiles: string,
  { out, json, profile, ...flags }: EmbedFlags,
  signal: AbortSignal,
): Promise<void> {
  const { terminal } = session;
  const { createProfiler, writeEmbeddings } = await import('../../index.js');
  const profiler = profile && createProfiler();
  const run = await runEncoder(session, tiles, flags, signal, {
    title: 'embedding',
    work: (encoder, listed, options) =>
      encoder.embed(
        listed.map(({ path }) => path),
        { ...options, ...(profiler && { profile: profiler }) },
      ),
  });
  const { result: embeddings, read, unreadable, device, precision } = run;
  const begun = performance.now();
  const write = () => writeEmbeddings(out, embeddings, read);
  const files = await (profiler ? profiler.time('write', write) : write());
  const seconds = run.seconds + (performance.now() - begun) / 1000;
  const profiled = profiler && (await finishProfile(terminal, profiler, traceOf(out)));

  const [rows, dimensions] = embeddings.shape;
  if (json) {
    terminal.json({ files, tiles: rows, dimensions, seconds, device, precision, unreadable, ...profiled });
    return;
  }
  const { green } = terminal.colours.stdout;
  terminal.print(
    `${green('✔')} ${count(rows, 'tile')} of ${dimensions} dimensions in ${files.join(' and ')}, in ${formatDuration(seconds)} on ${device}`,
  );
}

/** `z.npy` -> `z.trace.json`. */
const traceOf = (out: string): string => `${out.replace(/\.[^./\\]+$/, '')}.trace.json`;
