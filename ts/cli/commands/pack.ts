import type { Command } from 'commander';
import { showUnreadable } from '../errors.js';
import { count, formatBytes, formatDuration } from '../format.js';
import { addExamples, addJson, addSelection, type JsonFlag, type SelectionFlags, TILES } from '../options.js';
import { checkOutput } from '../output-file.js';
import { integer, pathEnding } from '../parse.js';
import { timed } from '../progress.js';
import { interruptible, type Session } from '../session.js';

interface PackFlags extends SelectionFlags, JsonFlag {
  out?: string;
  tileSize?: number;
  check?: true;
}

export function registerPack(program: Command, session: Session): void {
  const command = program
    .command('pack')
    .summary('decode tiles once and for all, into one file')
    .description(
      'Decode tiles once and for all, into one file that goes wherever a folder or manifest goes. Names, labels and order are kept.',
    )
    .argument('<tiles>', TILES);
  addSelection(command);
  command
    .optionsGroup('What to do:')
    .option('-o, --out <file>', 'the pack to write; one that is there is replaced', pathEnding('.pack'))
    .option(
      '--tile-size <px>',
      "resize and crop every tile to this side, an encoder's (default: each as it is)",
      integer(1, 16_384),
    )
    .option('--check', 'instead read the pack given and compare every tile with its checksum');
  addJson(command);
  addExamples(command, [
    ['pack tiles -o tiles.pack --tile-size 224', 'A folder, ready for an encoder of 224-pixel tiles'],
    ['train tiles.pack --where site=UMCU --out run', 'Training that decodes nothing'],
    ['pack tiles.pack --check', 'Is it whole after a copy?'],
  ]);
  command.action((tiles: string, flags: PackFlags) =>
    interruptible(session, (signal) =>
      flags.check ? runCheck(session, tiles, flags, signal) : runPack(session, tiles, flags, signal),
    ),
  );
}

async function runPack(
  { terminal }: Session,
  tiles: string,
  { out, tileSize, where, strict, json }: PackFlags,
  signal: AbortSignal,
): Promise<void> {
  const { packTiles, StainfoldError } = await import('../../index.js');
  if (out === undefined)
    throw new StainfoldError('STAINFOLD_OPTION', 'Say where the pack goes: -o FILE.pack');
  await checkOutput(out, []);
  const { made, seconds } = await timed(terminal, 'packing', (update) =>
    packTiles({
      tiles,
      out,
      signal,
      ...(tileSize !== undefined && { tileSize }),
      ...(where && { where }),
      ...(strict && { strict }),
      onProgress: update,
    }),
  );
  showUnreadable(terminal, made.unreadable);
  if (json) {
    terminal.json({ ...made, seconds });
    return;
  }
  const { green } = terminal.colours.stdout;
  terminal.print(
    `${green('✔')} ${count(made.tiles, 'tile')} in ${out}, ${formatBytes(made.bytes)}, in ${formatDuration(seconds)}`,
  );
}

async function runCheck(
  { terminal }: Session,
  pack: string,
  { json }: PackFlags,
  signal: AbortSignal,
): Promise<void> {
  const { checkPack } = await import('../../index.js');
  const { made: found, seconds } = await timed(terminal, 'checking', (update) =>
    checkPack(pack, { signal, onProgress: update }),
  );
  if (json) {
    terminal.json({ pack, ...found, seconds });
    return;
  }
  const { green } = terminal.colours.stdout;
  terminal.print(
    `${green('✔')} ${count(found.tiles, 'tile')} in ${pack}, ${formatBytes(found.bytes)} as they were written, in ${formatDuration(seconds)}`,
  );
}
