import type { Command } from 'commander';
import type { Manifold, ManifoldKind } from '../../index.js';
import { count, formatDuration } from '../format.js';
import { KINDS, readManifolds } from '../manifold-options.js';
import { addExamples, addJson, addRuntime, type JsonFlag, type RuntimeFlags, runtime } from '../options.js';
import { checkOutput } from '../output-file.js';
import { integer, number, oneOf, pathEnding } from '../parse.js';
import { interruptible, type Session } from '../session.js';

interface ManifoldFlags extends RuntimeFlags, JsonFlag {
  out: string;
  kind?: ManifoldKind;
  manifold?: string;
  labs?: number;
  strength?: number;
  seed?: number;
  tileSize?: number;
}

/** What fits a screen. */
const SHEET_LABS = 11;

export function registerManifold(program: Command, session: Session): void {
  const command = program
    .command('manifold')
    .summary('show tiles under virtual labs: what an encoder is asked to ignore')
    .description(
      'Draw tiles under virtual labs, on one sheet: what an encoder trained with them learns to ignore.',
    )
    .argument('<tile...>', 'image files, a row of the sheet each');
  command
    .optionsGroup('What to do:')
    .requiredOption('-o, --out <file>', 'the sheet, a .png file', pathEnding('.png'))
    .option('--kind <name>', `${KINDS.slice(0, -1).join(', ')} (default: he)`, oneOf(...KINDS))
    .option('--labs <n>', `virtual labs, 1 to 100 (default: ${SHEET_LABS})`, integer(1, 100))
    .option(
      '--strength <x>',
      'how far the labs lie apart, 0 to 4 (default: 1.5 for H&E, else 1)',
      number(0, 4),
    )
    .option(
      '--manifold <file>',
      "a manifold's options as JSON, as train takes them: single spreads, or kind custom",
    )
    .option('--seed <n>', 'which labs are drawn (default: 1)', integer(0))
    .option(
      '--tile-size <px>',
      'side of a picture, a multiple of 32 up to 1024 (default: 256)',
      integer(32, 1024),
    );
  addRuntime(command);
  addJson(command);
  addExamples(command, [
    ['manifold tile.png --out sheet.png', 'One tile under eleven virtual labs'],
    [
      'manifold a.png b.png --kind hdab --labs 6 --out sheet.png',
      'Two tiles of immunohistochemistry under six',
    ],
  ]);
  command.action((tiles: string[], flags: ManifoldFlags) =>
    interruptible(session, (signal) => runManifold(session, tiles, flags, signal)),
  );
}

async function runManifold(
  { terminal }: Session,
  tiles: string[],
  { out, kind, manifold: file, labs, strength, seed, tileSize, json, ...rest }: ManifoldFlags,
  signal: AbortSignal,
): Promise<void> {
  await checkOutput(out, tiles);
  const { StainfoldError, writeManifoldSheet } = await import('../../index.js');
  const begun = performance.now();
  const given = file === undefined ? {} : await readManifolds(file);
  if (Array.isArray(given)) {
    throw new StainfoldError('STAINFOLD_OPTION', `A sheet shows one manifold, got a list of ${given.length}`);
  }
  const manifold = {
    labs: SHEET_LABS,
    ...given,
    ...(kind && { kind }),
    ...(labs !== undefined && { labs }),
    ...(strength !== undefined && { strength }),
  } as Manifold;
  const sheet = await writeManifoldSheet(out, tiles, {
    ...runtime(rest),
    manifold,
    signal,
    ...(seed !== undefined && { seed }),
    ...(tileSize !== undefined && { tileSize }),
  });
  const seconds = (performance.now() - begun) / 1000;
  if (json) {
    terminal.json({ ...sheet, kind: manifold.kind ?? 'he', seconds });
    return;
  }
  const { green } = terminal.colours.stdout;
  terminal.print(
    `${green('✔')} ${count(sheet.tiles, 'tile')} under ${count(sheet.labs, 'virtual lab')} of kind ${manifold.kind ?? 'he'} in ${out} (${sheet.width} x ${sheet.height} px), in ${formatDuration(seconds)}`,
  );
}
