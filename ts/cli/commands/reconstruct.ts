import { join } from 'node:path';
import type { Command } from 'commander';
import type { EmbedOptions, Encoder, TileList } from '../../index.js';
import { addBatchSize, type EncoderFlags, runEncoder } from '../encoder-run.js';
import { count, formatDuration } from '../format.js';
import { addExamples, addJson, addRuntime, addSelection, type JsonFlag, TILES } from '../options.js';
import { savePicture } from '../output-file.js';
import { interruptible, type Session } from '../session.js';

interface ReconstructFlags extends EncoderFlags, JsonFlag {
  out: string;
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
    .requiredOption('-o, --out <folder>', 'where the pictures go, under the names of the tiles; created');
  addBatchSize(command);
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
  session: Session,
  tiles: string,
  { out, json, ...flags }: ReconstructFlags,
  signal: AbortSignal,
): Promise<void> {
  const { terminal } = session;
  const run = await runEncoder(session, tiles, flags, signal, {
    title: 'drawing',
    work: (encoder, listed, options) => drawAll(encoder, listed, options, out),
  });
  const { result: written, unreadable, seconds, device, precision } = run;
  if (json) {
    terminal.json({ out, tiles: written, seconds, device, precision, unreadable });
    return;
  }
  const { green } = terminal.colours.stdout;
  terminal.print(
    `${green('✔')} ${count(written, 'picture')} in ${out}, in ${formatDuration(seconds)} on ${device}`,
  );
}

/** Some at a time, so that memory stays bounded. */
async function drawAll(
  encoder: Encoder,
  tiles: TileList['tiles'],
  { signal, onProgress, onUnreadable }: EmbedOptions,
  out: string,
): Promise<number> {
  const { encodeTile } = await import('../../index.js');
  let written = 0;
  for (let start = 0; start < tiles.length; start += CHUNK) {
    const chunk = tiles.slice(start, start + CHUNK);
    const before = written;
    const skipped = new Set<number>();
    const drawn = await encoder.reconstruct(
      chunk.map(({ path }) => path),
      {
        ...(signal && { signal }),
        onProgress: (done) => onProgress?.(before + done),
        ...(onUnreadable && {
          onUnreadable: (index: number, reason: string) => {
            skipped.add(index);
            onUnreadable(start + index, reason);
          },
        }),
      },
    );
    const files = chunk.filter((_, index) => !skipped.has(index)).map(({ file }) => file);
    for (const [i, picture] of drawn.entries()) {
      await savePicture(join(out, pictureName(files[i] as string)), await encodeTile(picture));
      written++;
    }
  }
  return written;
}

/** A tile's name below the output folder, whatever way led to it: `../a/b.jpg` becomes `a/b.jpg.png`. */
function pictureName(file: string): string {
  const below = file
    .split(/[\\/]/)
    .filter((part) => part !== '' && part !== '.' && part !== '..' && !part.endsWith(':'));
  const name = below.join('/');
  return name.toLowerCase().endsWith('.png') ? name : `${name}.png`;
}
