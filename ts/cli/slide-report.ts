/** `stainfold embed --report`: the slides embedded, as pictures. */
import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type { EmbeddedSlides, Encoder, SlideReport, SlideReportOptions } from '../index.js';
import { pathEnding } from './parse.js';
import { startProgress } from './progress.js';
import type { Terminal } from './terminal.js';

export interface ReportFlags {
  report?: string;
  pictures?: string;
  like?: { x: number; y: number };
  probe?: string;
}

export function addReport(command: Command): Command {
  return command
    .option(
      '--report <file>',
      'also look: a page with tissue and tiles, heatmaps and a montage',
      pathEnding('.html'),
    )
    .option('--pictures <folder>', "the report's pictures as PNG, too")
    .option('--like <x,y>', 'level-0 position of the tile to compare with (default: the most typical)', place)
    .option('--probe <file>', 'JSON of a linear probe: a list of weights, or { weights, bias, name }');
}

function place(text: string): { x: number; y: number } {
  const [x, y, ...more] = text.split(',').map(Number);
  const fine = (n: number | undefined): n is number => n !== undefined && n >= 0 && Number.isFinite(n);
  if (!fine(x) || !fine(y) || more.length > 0) {
    throw new InvalidArgumentError('Expected two numbers with a comma between, such as 12000,8000.');
  }
  return { x, y };
}

/** `reading`, `tiling`, `quality`: as the slides were embedded. */
export async function reportSlides(
  terminal: Terminal,
  encoder: Encoder,
  { slides }: EmbeddedSlides,
  { report, pictures, like, probe }: ReportFlags & { report: string },
  made: Pick<SlideReportOptions, 'slide' | 'tiling' | 'quality'>,
  signal: AbortSignal,
): Promise<SlideReport> {
  const { writeSlideReport } = await import('../index.js');
  const shown = slides.filter(({ state }) => state !== 'busy');
  using progress = startProgress(terminal, 'looking');
  return await writeSlideReport(report, encoder, {
    ...made,
    slides: shown.map(({ path }) => path),
    features: shown.map(({ files }) => files[0]),
    signal,
    ...(pictures && { pictures }),
    ...(like && { like }),
    ...(probe && { probe: await readProbe(probe) }),
    command: ['stainfold', ...process.argv.slice(2)].join(' '),
    onProgress: ({ done, total }) => progress.update(done, total),
  });
}

async function readProbe(path: string): Promise<NonNullable<SlideReportOptions['probe']>> {
  const { StainfoldError } = await import('../index.js');
  try {
    const parsed: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (Array.isArray(parsed)) return { weights: parsed };
    if (typeof parsed === 'object' && parsed !== null && 'weights' in parsed)
      return parsed as NonNullable<SlideReportOptions['probe']>;
  } catch (cause) {
    throw new StainfoldError('STAINFOLD_OPTION', `--probe ${path} cannot be read as JSON`, { cause });
  }
  throw new StainfoldError('STAINFOLD_OPTION', `--probe ${path} has no weights`);
}
