import type { Command } from 'commander';
import type { Slide, SlideTileStatus, SlideTiling } from '../../index.js';
import { count, facts, formatDuration } from '../format.js';
import { addExamples, addJson, type JsonFlag } from '../options.js';
import { checkOutput } from '../output-file.js';
import { pathEnding } from '../parse.js';
import { startProgress } from '../progress.js';
import { interruptible, type Session } from '../session.js';
import {
  addReading,
  addTiling,
  type ReadingFlags,
  readingOf,
  type TilingFlags,
  tilingOf,
} from '../slide-options.js';
import type { Terminal } from '../terminal.js';

interface TileFlags extends ReadingFlags, TilingFlags, JsonFlag {
  out?: string;
  quality: boolean;
}

const REASONS: Record<SlideTileStatus, string> = {
  ok: '',
  unchecked: 'not read',
  background: 'glass',
  blur: 'out of focus',
  pen: 'ink',
  fold: 'two layers of tissue',
  unreadable: 'damaged in the file',
};

export function registerTile(program: Command, session: Session): void {
  const command = program
    .command('tile')
    .summary("lay tiles over a slide's tissue, and tell which are worth embedding")
    .description(
      "Lay tiles over a slide's tissue, or over regions drawn in QuPath, and tell which are glass, blurred, inked or folded.",
    )
    .argument('<slide>', 'whole slide: svs, tiff, ome.tiff, or what OpenSlide reads');
  addReading(command.optionsGroup('The slide:'));
  addTiling(command.optionsGroup('The tiles:'), '224').option(
    '--no-quality',
    'leave the tiles unread and unchecked',
  );
  addJson(command).option(
    '-o, --out <file>',
    'also write the tiles: .geojson, which QuPath opens, or .csv',
    pathEnding('.geojson', '.csv'),
  );
  addExamples(command, [
    ['tile slide.svs -o tiles.geojson', 'Tiles of 224 pixels at 0.5 µm, to look at in QuPath'],
    ['tile slide.svs --regions tumour.geojson --tile-mpp 0.25 --overlap 32', 'Only where somebody drew'],
    ['tile scan.tif --mpp 0.46', 'A slide that does not say how large its pixels are'],
  ]);
  command.action((path: string, flags: TileFlags) =>
    interruptible(session, (signal) => run(session, path, flags, signal)),
  );
}

async function run(
  { terminal }: Session,
  path: string,
  flags: TileFlags,
  signal: AbortSignal,
): Promise<void> {
  if (flags.out) await checkOutput(flags.out, [path, flags.mppFile, flags.regions]);
  const { openSlide, tileSlide, writeTiles } = await import('../../index.js');
  const begun = performance.now();
  await using slide = await openSlide(path, { ...readingOf(flags), signal });
  const tiling = await (async () => {
    using progress = startProgress(terminal, 'reading tiles');
    return await tileSlide(slide, {
      ...tilingOf(flags),
      quality: flags.quality,
      signal,
      onProgress: (done, total) => progress.update(done, total),
    });
  })();
  if (flags.out) await writeTiles(flags.out, tiling);
  const seconds = (performance.now() - begun) / 1000;
  if (flags.json) terminal.json({ ...about(slide), ...plain(tiling), out: flags.out ?? null, seconds });
  else show(terminal, slide, tiling, flags.out, seconds);
}

function about({ path, backend, vendor, width, height, mpp, mppSource, objectivePower, levels }: Slide) {
  const slide = { path, backend, vendor, width, height, mpp, mppSource, objectivePower };
  return { slide: { ...slide, levels } };
}

/** A tiling without its mask, and with coordinates as JSON has them. */
function plain({ mask, coords, tissue, ...rest }: SlideTiling) {
  const { data: _, ...size } = mask;
  return {
    ...rest,
    coords: Array.from({ length: rest.count }, (_, i) => [coords[2 * i], coords[2 * i + 1]]),
    tissue: Array.from(tissue, (share) => Number(share.toFixed(4))),
    mask: size,
  };
}

function show(
  terminal: Terminal,
  slide: Slide,
  tiling: SlideTiling,
  out: string | undefined,
  seconds: number,
): void {
  const { green, dim } = terminal.colours.stdout;
  const { mpp, mppSource, width, height, backend, vendor, levels } = slide;
  const where = { option: '--mpp', csv: '--mpp-file', file: 'the file' }[mppSource ?? 'file'];
  const speed = tiling.counts.unchecked > 0 ? '' : `, ${(tiling.count / seconds).toFixed(0)} a second`;
  terminal.print(`${green('✔')} ${count(tiling.count, 'tile')} in ${formatDuration(seconds)}${speed}`);
  terminal.print(
    facts(
      [
        [
          'slide',
          `${width} x ${height} pixels of ${mpp} µm (${where}), ${count(levels.length, 'level')}, ${vendor}`,
        ],
        ['read by', backend],
        ['tissue', `${(100 * tiling.mask.share).toFixed(1)} %`],
        [
          'tiles',
          `${tiling.tileSize} pixels at ${tiling.mpp} µm: ${tiling.sizeLevel0.toFixed(1)} of level 0`,
        ],
      ],
      terminal.colours.stdout,
    ),
  );
  const found = Object.entries(tiling.counts).filter(([, tiles]) => tiles > 0) as [SlideTileStatus, number][];
  for (const [status, tiles] of found) {
    const share = `${((100 * tiles) / tiling.count).toFixed(1)} %`;
    terminal.print(
      `${status.padEnd(12)}${tiles.toLocaleString('en-US').padStart(8)} ${share.padStart(8)}  ${dim(REASONS[status])}`.trimEnd(),
    );
  }
  if (out) terminal.print(`tiles in ${out}`);
}
