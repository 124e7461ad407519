import { extname } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { Embeddings, TileList } from '../../index.js';
import { addBatchSize, type EncoderFlags, runEncoder } from '../encoder-run.js';
import { count, formatDuration } from '../format.js';
import { addExamples, addJson, addRuntime, addSelection, type JsonFlag, TILES } from '../options.js';
import { checkOutput } from '../output-file.js';
import { addProfile, finishProfile, type ProfileFlag } from '../profile.js';
import { interruptible, type Session } from '../session.js';
import {
  addSlides,
  areSlides,
  type EmbedSlidesFlags,
  embedSlidesCommand,
  slideFlag,
} from './embed-slides.js';

interface EmbedFlags extends EncoderFlags, ProfileFlag, JsonFlag, EmbedSlidesFlags {
  out: string;
}

const TABLES = ['.npy', '.safetensors', '.csv'];

export function registerEmbed(program: Command, session: Session): void {
  const command = program
    .command('embed')
    .summary('embed tiles or whole slides with a trained encoder')
    .description(
      'Embed tiles or whole slides with a trained encoder: one vector for each tile. Tiles go into one file, float32; slides into a ' +
        'folder, a file of features for each, in the layout that the MIL code at hand reads.',
    )
    .argument('<paths...>', `${TILES}; or slides, and folders of them`);
  addSelection(command);
  command
    .optionsGroup('What to do:')
    .option(
      '--model <file>',
      'model.safetensors (or checkpoint.safetensors) of a run, or the name of a model that comes with stainfold',
      'phantom-tiny',
    )
    .requiredOption(
      '-o, --out <path>',
      'where the embeddings go: .npy, .safetensors or .csv; a folder for slides',
      tableOrFolder,
    );
  addBatchSize(command);
  addSlides(command);
  addRuntime(command);
  addJson(command);
  addProfile(command, 'a .trace.json beside the output');
  addExamples(command, [
    ['embed tiles --model run/model.safetensors --out z.npy', 'A folder of images, as a matrix for NumPy'],
    [
      'embed tiles/manifest.csv --where site=XR --model run/model.safetensors --out xr.csv',
      'One site of a manifest, as a table with file names',
    ],
    [
      'embed slides --model run/model.safetensors --out features',
      'A folder of slides, an HDF5 file for each',
    ],
    [
      'embed slides --model run/model.safetensors --out trident --layout trident --tile-mpp 0.5 --overlap 32',
      'The same, in the folders and files that TRIDENT writes',
    ],
  ]);
  command.action((paths: string[], flags: EmbedFlags) =>
    interruptible(session, (signal) => runEmbed(session, paths, flags, signal)),
  );
}

/** Formats of slides are chosen by --format: a file of one is no place for many. */
function tableOrFolder(text: string): string {
  if (!/\.(h5|hdf5|parquet|zarr)$/i.test(text)) return text;
  throw new InvalidArgumentError(
    `Expected a path that ends in ${TABLES.join(' or ')}; for slides a folder, and --format.`,
  );
}

async function runEmbed(
  session: Session,
  paths: readonly string[],
  flags: EmbedFlags,
  signal: AbortSignal,
): Promise<void> {
  const { StainfoldError } = await import('../../index.js');
  const wrong = (detail: string, hint: string): Error =>
    new StainfoldError('STAINFOLD_OPTION', detail, { hint });
  const { out } = flags;
  const table = TABLES.includes(extname(out).toLowerCase());
  const [first, ...more] = paths as [string, ...string[]];
  if (await areSlides(session.terminal, paths, flags, signal)) {
    if (table)
      throw wrong(
        `Slides go to a folder, got --out ${out}`,
        'Give a folder; --format says what the files are.',
      );
    await embedSlidesCommand(session.terminal, paths, flags, signal);
    return;
  }
  const asked = slideFlag(flags);
  if (asked !== undefined) {
    throw wrong(
      `There is no slide in ${paths.join(', ')}, and --${asked} is for slides`,
      'Give slides, or leave it out.',
    );
  }
  if (more.length > 0)
    throw wrong(`Tiles come from one folder or manifest, got ${paths.length}`, 'Write a manifest.');
  if (!table) {
    throw wrong(
      `${first} holds tiles, no slides, and --out is ${out}`,
      `Give a file that ends in ${TABLES.join(' or ')}.`,
    );
  }
  await checkOutput(out, [first, flags.model]);
  await embedTiles(session, first, flags, signal);
}

async function embedTiles(
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
  await checkFinite(embeddings, read);
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

/** Weights that are no numbers, or a precision too low for them, must not end as a file that looks well. */
async function checkFinite(
  { data, shape: [, columns] }: Embeddings,
  tiles: TileList['tiles'],
): Promise<void> {
  for (let i = 0; i < data.length; i++) {
    if (Number.isFinite(data[i])) continue;
    const { StainfoldError } = await import('../../index.js');
    const file = tiles[Math.floor(i / columns)]?.file;
    throw new StainfoldError('STAINFOLD_NON_FINITE', `The embedding of ${file} holds ${data[i]}`, {
      hint: 'Compute with --precision fp32; if it stays, the weights of the model are damaged.',
    });
  }
}

/** `z.npy` -> `z.trace.json`. */
const traceOf = (out: string): string => `${out.replace(/\.[^./\\]+$/, '')}.trace.json`;
