import type { Command } from 'commander';
import type { StainSet } from '../../index.js';
import { showUnreadable } from '../errors.js';
import { count, formatDuration } from '../format.js';
import {
  addExamples,
  addJson,
  addPlace,
  addSelection,
  type JsonFlag,
  type PlaceFlags,
  place,
  type SelectionFlags,
  TILES,
} from '../options.js';
import { oneOf } from '../parse.js';
import { timed } from '../progress.js';
import { interruptible, type Session } from '../session.js';
import { STAINS, showStatuses, stainSet } from './normalize.js';

interface SeparateFlags extends SelectionFlags, PlaceFlags, JsonFlag {
  out: string;
  method?: 'macenko' | 'vahadane' | 'ruifrok';
  stains?: StainSet;
}

export function registerSeparate(program: Command, session: Session): void {
  const command = program
    .command('separate')
    .summary('separate the stains of tiles: matrices, concentrations, pictures')
    .description(
      'Separate the stains of tiles: a table of stain vectors, concentration maps, and each stain alone.',
    )
    .argument('<tiles>', TILES);
  addSelection(command);
  command
    .optionsGroup('What to do:')
    .requiredOption(
      '-o, --out <folder>',
      'where stains.csv, stains.json, concentrations/ (16-bit PNG, 10000 a unit of optical density) and images/ go; created',
    )
    .option(
      '--method <name>',
      'macenko, vahadane or ruifrok (default: macenko)',
      oneOf('macenko', 'vahadane', 'ruifrok'),
    )
    .option('--stains <set>', STAINS, stainSet);
  addPlace(command);
  addJson(command);
  addExamples(command, [
    ['separate tiles --out stains', 'Haematoxylin and eosin of every image of a folder'],
    [
      'separate ihc --out stains --method ruifrok --stains hdab',
      'Haematoxylin and DAB, by their fixed vectors',
    ],
  ]);
  command.action((tiles: string, flags: SeparateFlags) =>
    interruptible(session, (signal) => runSeparate(session, tiles, flags, signal)),
  );
}

async function runSeparate(
  { terminal }: Session,
  tiles: string,
  { out, where, strict, method, stains, json, ...rest }: SeparateFlags,
  signal: AbortSignal,
): Promise<void> {
  const { separateTiles } = await import('../../index.js');
  const { made, seconds } = await timed(terminal, 'separating', (update) =>
    separateTiles({
      tiles,
      out,
      signal,
      ...place(rest),
      ...(where && { where }),
      ...(strict && { strict }),
      ...(method && { method }),
      ...(stains && { stains }),
      onProgress: update,
    }),
  );
  showUnreadable(terminal, made.unreadable);
  if (json) {
    terminal.json({ ...made, seconds });
    return;
  }
  const { green, dim } = terminal.colours.stdout;
  terminal.print(`${green('✔')} ${count(made.tiles, 'tile')} separated, in ${formatDuration(seconds)}`);
  terminal.print(`${dim('table')}  ${made.table}`);
  showStatuses(terminal, made.statuses);
}
