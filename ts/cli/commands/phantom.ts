import type { Command } from 'commander';
import { count, formatDuration } from '../format.js';
import { addExamples, addJson, addRuntime, type JsonFlag, type RuntimeFlags } from '../options.js';
import { integer, number, oneOf } from '../parse.js';
import { timed } from '../progress.js';
import { interruptible, type Session } from '../session.js';

interface PhantomFlags extends RuntimeFlags, JsonFlag {
  out: string;
  tiles?: number;
  labs?: number;
  tileSize?: number;
  mpp?: number;
  seed?: number;
  tissue?: 'shared' | 'own';
}

export function registerPhantom(program: Command, session: Session): void {
  const command = program
    .command('phantom')
    .summary('make phantom tissue: tiles of several labs, with known classes')
    .description(
      'Make phantom tissue: H&E-like tiles from a physical model, with known classes, stained and scanned by several labs.',
    )
    .optionsGroup('What to make:')
    .requiredOption('-o, --out <folder>', 'where the PNG tiles and manifest.csv go; created')
    .option('--tiles <n>', 'tiles for each lab (default: 240)', integer(1))
    .option('--labs <n>', 'labs, 1 to 64; lab 0 is the middle of their range (default: 4)', integer(1, 64))
    .option('--tile-size <px>', 'side, a multiple of 32 (default: 128)', integer(32, 1024))
    .option('--mpp <µm>', 'micrometres per pixel (default: 0.5)', number(0.05, 10))
    .option('--seed <n>', 'same seed, same tiles (default: 1)', integer(0))
    .option(
      '--tissue <kind>',
      'own or shared: each lab its own tissue, or all the same (default: own)',
      oneOf('shared', 'own'),
    );
  addRuntime(command);
  addJson(command);
  addExamples(command, [
    ['phantom --out tiles', 'Four labs of 240 tiles'],
    [
      'phantom --out pairs --tissue shared --tiles 50 --labs 8',
      'The same tissue in eight labs, to measure invariance directly',
    ],
  ]);
  command.action((flags: PhantomFlags) =>
    interruptible(session, (signal) => runPhantom(session, flags, signal)),
  );
}

async function runPhantom(
  { terminal }: Session,
  { json, ...flags }: PhantomFlags,
  signal: AbortSignal,
): Promise<void> {
  const { generatePhantom } = await import('../../index.js');
  const { made, seconds } = await timed(terminal, 'drawing', (update) =>
    generatePhantom({
      ...flags,
      signal,
      onProgress: update,
    }),
  );
  if (json) {
    terminal.json({ ...made, seconds });
    return;
  }
  const { green, dim } = terminal.colours.stdout;
  terminal.print(
    `${green('✔')} ${count(made.tiles, 'tile')} of ${count(made.labs.length, 'lab')}, in ${formatDuration(seconds)}`,
  );
  terminal.print(`${dim('manifest')}  ${made.manifest}  ${dim('(file, lab, tissue, slide, place, mpp)')}`);
}
