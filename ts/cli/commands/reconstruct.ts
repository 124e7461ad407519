import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import type { RawTile, UnreadableTile } from '../../index.js';
import { showUnreadable } from '../errors.js';
import { count, formatDuration } from '../format.js';
import {
  addExamples,
  addJson,
  addRuntime,
  addSelection,
  type JsonFlag,
  type RuntimeFlags,
  runtime,
  type SelectionFlags,
  TILES,
} from '../options.js';
import { integer } from '../parse.js';
import { startProgress } from '../progress.js';
import { interruptible, type Session } from '../session.js';

interface ReconstructFlags extends SelectionFlags, RuntimeFlags, JsonFlag {
  model: string;
  out: string;
  batchSize?: number;
}

/** Pictures held in memory at a time. */
const CHUNK = 256;

export function registerReconstruct(program: Command, session: Session): void {
  const command = program
    .command('reconstruct')
    .summary('draw tiles from their embeddings alone')
    .description("Draw tiles from their embeddings alone, in the stain of the model's source, as PNG files.")
    .argument('<tiles>', TILES);
  addSelection(command);
  command
    .optionsGroup('What to do:')
    .requiredOption('--model <file>', 'model.safetensors (or checkpoint.safetensors) of a run')
    .requiredOption('-o, --out <folder>', 'where the pictures go, under the names of the tiles; created')
    .option('--batch-size <n>', 'tiles a native call, 1 to 4096 (default: 32)', integer(1, 4096));
  addRuntime(command);
  addJson(command);
  addExamples(command, [
    ['reconstruct tiles --model run/model.safetensors --out drawn', 'Every image of a folder'],
    [
      'reconstruct tiles/manifest.csv --where site=XR --model run/model.safetensors --out drawn',
      'One site of a manifest',
    ],
  ]);
  command.action((tiles: string, flags: ReconstructFlags) =>
    interruptible(session, (signal) => runReconstruct(session, tiles, flags, signal)),
  );
}

async function runReconstruct(
  { terminal }: Session,
  tiles: string,
  { model, out, where, strict, batchSize, json, ...rest }: ReconstructFlags,
  signal: AbortSignal,
): Promise<void> {
  const { listTiles, loadEncoder } = await import('../../index.js');
  const begun = performance.now();
  const { tiles: listed } = await listTiles({ tiles, signal, ...(where && { where }) });
  const unreadable: UnreadableTile[] = [];
  let written = 0;
  await using encoder = await loadEncoder(model, {
    ...runtime(rest),
    signal,
    ...(batchSize && { batchSize }),
  });
  {
    using progress = startProgress(terminal, 'drawing');
    for (let start = 0; start < listed.length; start += CHUNK) {
      const chunk = listed.slice(start, start + CHUNK);
      const skipped = new Set<number>();
      const drawn = await encoder.reconstruct(
        chunk.map(({ path }) => path),
        {
          signal,
          onProgress: (done) => progress.update(start + done + skipped.size, listed.length),
          ...(!strict && {
            onUnreadable: (index: number, reason: string) => {
              skipped.add(index);
              unreadable.push({ file: chunk[index]?.file ?? '', reason });
            },
          }),
        },
      );
      const files = chunk
        .filter((_, index) => !skipped.has(index))
        .map(({ file }) => join(out, pictureName(file)));
      for (const [i, picture] of drawn.entries()) {
        await savePicture(files[i] ?? '', picture);
        written++;
      }
    }
  }

  const seconds = (performance.now() - begun) / 1000;
  showUnreadable(terminal, unreadable);
  if (json) {
    terminal.json({
      out,
      tiles: written,
      seconds,
      device: encoder.device,
      precision: encoder.precision,
      unreadable,
    });
    return;
  }
  const { green } = terminal.colours.stdout;
  terminal.print(
    `${green('✔')} ${count(written, 'picture')} in ${out}, in ${formatDuration(seconds)} on ${encoder.device}`,
  );
}

async function savePicture(path: string, picture: RawTile): Promise<void> {
  const { encodeTile, StainfoldError } = await import('../../index.js');
  const bytes = await encodeTile(picture);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StainfoldError('STAINFOLD_FILE_WRITE', `Cannot write ${path}: ${reason}`, { cause });
  }
}

/** A tile's name below the output folder, whatever way led to it: `../a/b.jpg` becomes `a/b.jpg.png`. */
function pictureName(file: string): string {
  const below = file
    .split(/[\\/]/)
    .filter((part) => part !== '' && part !== '.' && part !== '..' && !part.endsWith(':'));
  const name = below.join('/');
  return name.toLowerCase().endsWith('.png') ? name : `${name}.png`;
}
