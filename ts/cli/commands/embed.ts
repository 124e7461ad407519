import type { Command } from 'commander';
import type { UnreadableTile } from '../../index.js';
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
import { integer, pathEnding } from '../parse.js';
import { startProgress } from '../progress.js';
import { interruptible, type Session } from '../session.js';

interface EmbedFlags extends SelectionFlags, RuntimeFlags, JsonFlag {
  model: string;
  out: string;
  batchSize?: number;
}

export function registerEmbed(program: Command, session: Session): void {
  const command = program
    .command('embed')
    .summary('embed tiles with a trained encoder')
    .description('Embed tiles with a trained encoder: one vector for each, float32.')
    .argument('<tiles>', TILES);
  addSelection(command);
  command
    .optionsGroup('What to do:')
    .option(
      '--model <file>',
      'model.safetensors (or checkpoint.safetensors) of a run, or the name of a model that comes with stainfold',
      'phantom-tiny',
    )
    .requiredOption(
      '-o, --out <file>',
      'where the embeddings go: .npy, .safetensors or .csv',
      pathEnding('.npy', '.safetensors', '.csv'),
    )
    .option('--batch-size <n>', 'tiles a native call, 1 to 4096 (default: 32)', integer(1, 4096));
  addRuntime(command);
  addJson(command);
  addExamples(command, [
    ['embed tiles --model run/model.safetensors --out z.npy', 'A folder of images, as a matrix for NumPy'],
    [
      'embed tiles/manifest.csv --where site=XR --model run/model.safetensors --out xr.csv',
      'One site of a manifest, as a table with file names',
    ],
  ]);
  command.action((tiles: string, flags: EmbedFlags) =>
    interruptible(session, (signal) => runEmbed(session, tiles, flags, signal)),
  );
}

async function runEmbed(
  { terminal }: Session,
  tiles: string,
  { model, out, where, strict, batchSize, json, ...rest }: EmbedFlags,
  signal: AbortSignal,
): Promise<void> {
  const { listTiles, loadEncoder, writeEmbeddings } = await import('../../index.js');
  const begun = performance.now();
  const { tiles: listed } = await listTiles({ tiles, signal, ...(where && { where }) });
  const unreadable = new Map<number, UnreadableTile>();
  await using encoder = await loadEncoder(model, {
    ...runtime(rest),
    signal,
    ...(batchSize && { batchSize }),
  });
  const progress = startProgress(terminal, 'embedding');
  const embeddings = await encoder
    .embed(
      listed.map(({ path }) => path),
      {
        signal,
        onProgress: (done) => progress.update(done + unreadable.size, listed.length),
        ...(!strict && {
          onUnreadable: (index: number, reason: string) =>
            void unreadable.set(index, { file: listed[index]?.file ?? '', reason }),
        }),
      },
    )
    .finally(() => progress[Symbol.dispose]());
  const read = listed.filter((_, index) => !unreadable.has(index));
  const files = await writeEmbeddings(out, embeddings, read);

  const seconds = (performance.now() - begun) / 1000;
  const skipped = [...unreadable.values()];
  showUnreadable(terminal, skipped);
  const [rows, dimensions] = embeddings.shape;
  if (json) {
    const { device, precision } = encoder;
    terminal.json({ files, tiles: rows, dimensions, seconds, device, precision, unreadable: skipped });
    return;
  }
  const { green } = terminal.colours.stdout;
  terminal.print(
    `${green('✔')} ${count(rows, 'tile')} of ${dimensions} dimensions in ${files.join(' and ')}, in ${formatDuration(seconds)} on ${encoder.device}`,
  );
}
