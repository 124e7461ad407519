/** `stainfold embed` for whole slides: what it has beside the embedding of tiles. */
import type { Command } from 'commander';
import type {
  EmbeddedSlides,
  FeatureFormat,
  FeatureLayout,
  FeaturePrecision,
  SlideOutcome,
  SlidePooling,
} from '../../index.js';
import type { EncoderFlags } from '../encoder-run.js';
import { count, formatDuration } from '../format.js';
import { type JsonFlag, runtime } from '../options.js';
import { checkOutput } from '../output-file.js';
import { oneOf } from '../parse.js';
import { SaidFailure } from '../session.js';
import {
  addReading,
  addTiling,
  type ReadingFlags,
  readingOf,
  type TilingFlags,
  tilingOf,
} from '../slide-options.js';
import { startSlideBars } from '../slide-progress.js';
import { addReport, type ReportFlags, reportSlides } from '../slide-report.js';
import { slideTable } from '../slide-table.js';
import type { Terminal } from '../terminal.js';

export interface EmbedSlidesFlags extends ReadingFlags, TilingFlags, ReportFlags {
  slides?: true;
  format?: FeatureFormat;
  layout?: FeatureLayout;
  featurePrecision?: FeaturePrecision;
  encoderName?: string;
  pooling?: SlidePooling;
  quality?: boolean;
  skipUnreadable?: true;
  overwrite?: true;
}

export function addSlides(command: Command): Command {
  command
    .optionsGroup('Whole slides:')
    .option(
      '--slides',
      'take every image in a folder for a slide (default: by extension, and what TIFFs hold)',
    )
    .option(
      '--format <name>',
      'h5, safetensors, parquet, npy or zarr (default: h5)',
      oneOf('h5', 'safetensors', 'parquet', 'npy', 'zarr'),
    )
    .option(
      '--layout <name>',
      'names, types and folders of HDF5 files: plain, trident, clam or stamp (default: plain)',
      oneOf('plain', 'trident', 'clam', 'stamp'),
    )
    .option(
      '--feature-precision <name>',
      'fp32 or fp16, as stored (default: fp32; stamp: fp16)',
      oneOf('fp32', 'fp16'),
    )
    .option('--encoder-name <name>', 'what files and folders call the encoder (default: stainfold)')
    .option(
      '--pooling <name>',
      "a slide's vector in slides.parquet: mean, max, mean-max or mean-std (default: mean)",
      oneOf('mean', 'max', 'mean-max', 'mean-std'),
    );
  addTiling(command);
  addReading(command);
  addReport(command);
  return command
    .option('--no-quality', 'keep glass, blur, pen and folds')
    .option('--skip-unreadable', 'leave out tiles that cannot be read instead of failing their slide')
    .option('--overwrite', 'embed again what is there already');
}

/** What lists tiles instead of being a slide. */
const TILE_LIST = /\.(csv|pack)$/i;

/** Whether there are slides at the paths; says what was found where that is not plain. */
export async function areSlides(
  terminal: Terminal,
  paths: readonly string[],
  { slides }: EmbedSlidesFlags,
  signal: AbortSignal,
): Promise<boolean> {
  if (!slides && paths.some((path) => TILE_LIST.test(path))) return false;
  const { findSlides } = await import('../../index.js');
  const found = await findSlides(paths, { signal, images: slides === true });
  if (found.slides.length === 0) return slides === true;
  const rest = found.images > 0 ? `; ${count(found.images, 'other image')} left out` : '';
  terminal.note(`${count(found.slides.length, 'slide')} in ${paths.join(', ')}${rest}`);
  return true;
}

/** The first option given that only slides have. */
export function slideFlag(flags: EmbedSlidesFlags): string | undefined {
  const names = [
    ...(['format', 'layout', 'featurePrecision', 'encoderName', 'pooling', 'skipUnreadable'] as const),
    ...(['overwrite', 'tileSize', 'tileMpp', 'overlap', 'minTissue', 'regions', 'limit', 'sample'] as const),
    ...(['seed', 'mpp', 'mppFile', 'backend', 'icc', 'report', 'pictures', 'like', 'probe'] as const),
  ];
  const name =
    names.find((candidate) => flags[candidate] !== undefined) ??
    (flags.quality === false ? 'noQuality' : undefined);
  return name?.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

export async function embedSlidesCommand(
  terminal: Terminal,
  paths: readonly string[],
  flags: EmbedSlidesFlags & EncoderFlags & JsonFlag & { out: string },
  signal: AbortSignal,
): Promise<void> {
  const { embedSlides, loadEncoder, StainfoldError } = await import('../../index.js');
  const { model, out, batchSize, report } = flags;
  const picture = (['pictures', 'like', 'probe'] as const).find((name) => flags[name] !== undefined);
  if (report === undefined && picture !== undefined) {
    throw new StainfoldError('STAINFOLD_OPTION', `--${picture} is of a report, and there is no --report`, {
      hint: 'Give --report FILE.html, or leave it out.',
    });
  }
  if (report) await checkOutput(report, []);
  await using encoder = await loadEncoder(model, {
    ...runtime(flags),
    signal,
    ...(batchSize && { batchSize }),
  });
  const { format, layout, featurePrecision, encoderName, pooling, quality, skipUnreadable, overwrite } =
    flags;
  const made = await (async () => {
    using bars = startSlideBars(terminal);
    return await embedSlides(encoder, {
      slides: paths,
      out,
      signal,
      slide: readingOf(flags),
      tiling: tilingOf(flags),
      ...(flags.slides && { images: true }),
      ...(format && { format }),
      ...(layout && { layout }),
      ...(featurePrecision && { precision: featurePrecision }),
      ...(encoderName && { encoder: encoderName }),
      ...(pooling && { pooling }),
      ...(quality === false && { quality }),
      ...(skipUnreadable && { unreadable: 'skip' }),
      ...(overwrite && { overwrite }),
      ...(report && { scores: true }),
      onProgress: (progress) => bars.update(progress),
      onSlide: (outcome) => {
        if (!terminal.interactive && outcome.state !== 'present') noteOutcome(terminal, outcome);
      },
    });
  })().catch((error: unknown) => {
    if (signal.aborted) terminal.note('What is done is kept: the same command goes on from there.');
    throw error;
  });
  const reading = { slide: readingOf(flags), tiling: tilingOf(flags), quality: quality !== false };
  const look = report && (await reportSlides(terminal, encoder, made, { ...flags, report }, reading, signal));
  const { device, precision } = encoder;
  if (flags.json) terminal.json({ out, ...made, ...(look && { report: look }), device, precision });
  else show(terminal, made, out, device);
  if (look && !flags.json) terminal.print(`report in ${look.path}`);
  if (made.slides.some(({ state }) => state === 'failed')) throw new SaidFailure();
}

/** For a log: what is done, as it is. */
function noteOutcome(terminal: Terminal, { slide, state, tiles, seconds, error }: SlideOutcome): void {
  const what =
    state === 'failed' ? error?.code : `${state}, ${count(tiles, 'tile')} in ${formatDuration(seconds)}`;
  terminal.note(`${slide}: ${what}`);
}

function show(
  terminal: Terminal,
  { slides, files, seconds }: EmbeddedSlides,
  out: string,
  device: string,
): void {
  const { green, red, dim } = terminal.colours.stdout;
  terminal.print(slideTable(slides, terminal.colours.stdout));
  terminal.print('');
  for (const { slide, error } of slides) {
    if (error === undefined) continue;
    terminal.print(`${red(`${slide}:`)} ${error.message}`);
    terminal.print(`${dim('→')} ${error.hint}`);
  }
  const of = (state: SlideOutcome['state']) => slides.filter((slide) => slide.state === state);
  const tiles = of('written').reduce((sum, slide) => sum + slide.tiles, 0);
  const failed = of('failed').length;
  const sign = failed === 0 ? green('✔') : red('✘');
  const more = [
    of('present').length > 0 && `${of('present').length} were there`,
    of('busy').length > 0 && `${of('busy').length} in other processes`,
    failed > 0 && `${failed} failed`,
  ].filter(Boolean);
  const rest = more.length > 0 ? `; ${more.join(', ')}` : '';
  terminal.print(
    `${sign} ${count(of('written').length, 'slide')}, ${count(tiles, 'tile')} in ${out}, in ${formatDuration(seconds)} on ${device}${rest}`,
  );
  if (files.length > 0) terminal.print(dim(`all slides: ${files.join(', ')}`));
}
