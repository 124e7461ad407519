/** What the commands that put tiles through an encoder share: list, load, run with progress, skip and remember the unreadable. */
import type { Command } from 'commander';
import type { EmbedOptions, Encoder, TileList, UnreadableTile } from '../index.js';
import { showUnreadable } from './errors.js';
import { type RuntimeFlags, runtime, type SelectionFlags } from './options.js';
import { integer } from './parse.js';
import { startProgress } from './progress.js';
import type { Session } from './session.js';

export interface EncoderFlags extends SelectionFlags, RuntimeFlags {
  model: string;
  batchSize?: number;
}

type Tile = TileList['tiles'][number];

interface EncoderRun<Result> {
  result: Result;
  /** The tiles that could be read, in order: those that the result is of. */
  read: Tile[];
  unreadable: UnreadableTile[];
  device: string;
  precision: string;
  seconds: number;
}

interface EncoderTask<Result> {
  /** Of the progress bar: `embedding`. */
  title: string;
  /** Which of the tiles. Default: all. */
  choose?: (tiles: Tile[]) => Tile[];
  /** `options` tell progress and skip what cannot be read; they go to the encoder's method. */
  work: (encoder: Encoder, tiles: Tile[], options: EmbedOptions) => Promise<Result>;
}

export function addBatchSize(command: Command, most = 4096, standard = 32): Command {
  return command.option(
    '--batch-size <n>',
    `tiles a native call, 1 to ${most} (default: ${standard})`,
    integer(1, most),
  );
}

/** Says on stderr what was skipped. */
export async function runEncoder<Result>(
  { terminal }: Session,
  source: string,
  { model, where, strict, batchSize, ...flags }: EncoderFlags,
  signal: AbortSignal,
  { title, choose = (tiles) => tiles, work }: EncoderTask<Result>,
): Promise<EncoderRun<Result>> {
  const { listTiles, loadEncoder, StainfoldError } = await import('../index.js');
  const begun = performance.now();
  const { tiles: listed } = await listTiles({ tiles: source, signal, ...(where && { where }) });
  const tiles = choose(listed);
  const skipped = new Map<number, UnreadableTile>();
  await using encoder = await loadEncoder(model, {
    ...runtime(flags),
    signal,
    ...(batchSize && { batchSize }),
  });
  const options: EmbedOptions = {
    signal,
    onProgress: (done) => progress.update(done + skipped.size, tiles.length),
    ...(!strict && {
      onUnreadable: (index: number, reason: string) =>
        void skipped.set(index, { file: tiles[index]?.file ?? '', reason }),
    }),
  };
  const progress = startProgress(terminal, title);
  const result = await work(encoder, tiles, options).finally(() => progress[Symbol.dispose]());
  const unreadable = [...skipped.values()];
  showUnreadable(terminal, unreadable);
  const { device, precision } = encoder;
  const read = tiles.filter((_, index) => !skipped.has(index));
  if (read.length === 0) {
    const what = tiles.length === 1 ? 'The only file' : `None of the ${tiles.length} files`;
    throw new StainfoldError(
      'STAINFOLD_TILES_EMPTY',
      `${what} can${tiles.length === 1 ? 'not' : ''} be read`,
    );
  }
  return { result, read, unreadable, device, precision, seconds: (performance.now() - begun) / 1000 };
}
