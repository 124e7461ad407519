import { join } from 'node:path';
import type { Command } from 'commander';
import type {
  LossWeights,
  Manifold,
  ManifoldKind,
  ModelSize,
  TrainProgress,
  TrainResult,
} from '../../index.js';
import { showUnreadable } from '../errors.js';
import { count, facts, formatDuration } from '../format.js';
import { KINDS, readManifolds } from '../manifold-options.js';
import {
  addExamples,
  addJson,
  addRuntime,
  addSelection,
  type JsonFlag,
  type RuntimeFlags,
  type SelectionFlags,
  TILES,
} from '../options.js';
import { integer, number, oneOf, weights } from '../parse.js';
import { addProfile, finishProfile, type ProfileFlag } from '../profile.js';
import { startProgress } from '../progress.js';
import { interruptible, type Session } from '../session.js';

interface TrainFlags extends SelectionFlags, RuntimeFlags, ProfileFlag, JsonFlag {
  out: string;
  resume?: true;
  seed?: number;
  size?: ModelSize;
  latent?: number;
  tileSize?: number;
  epochs?: number;
  batchSize?: number;
  views?: number;
  viewTurn: boolean;
  viewCrop?: number;
  labs?: number;
  strength?: number;
  kind?: ManifoldKind;
  manifold?: string;
  stainColumn?: string;
  geometry: boolean;
  compaction?: 'contrastive' | 'cross-correlation';
  temperature?: number;
  weight?: LossWeights;
  learningRate?: number;
  weightDecay?: number;
  warmup?: number;
  clipNorm?: number;
  labColumn?: string;
  groupColumn?: string;
  checkpointEvery?: number;
  cache?: number;
}

export function registerTrain(program: Command, session: Session): void {
  const command = program
    .command('train')
    .summary('train an encoder on the tiles of one site')
    .description('Train an encoder on the tiles of one site. No labels are used.')
    .argument('<tiles>', TILES);
  addSelection(command);
  command
    .optionsGroup('The run:')
    .requiredOption('-o, --out <folder>', 'folder of the run: model, checkpoint, metrics.jsonl')
    .option('--resume', 'continue the run in --out from its checkpoint, as if it had never stopped')
    .option('--seed <n>', 'same seed, tiles, device and versions: same bytes (default: 1)', integer(0))
    .option('--epochs <n>', 'passes over the tiles (default: 30)', integer(1))
    .option('--batch-size <n>', 'tiles a step, 2 to 4096 (default: 32)', integer(2, 4096))
    .option('--checkpoint-every <steps>', 'steps between checkpoints (default: one epoch)', integer(1))
    .option(
      '--cache <MiB>',
      'decoded tiles kept in memory between epochs (default: a quarter of the free memory, up to 4096)',
      integer(0),
    )
    .optionsGroup('The model:')
    .option(
      '--size <name>',
      'tiny, small or base: an encoder of about 1, 6 or 25 M parameters (default: tiny)',
      oneOf('tiny', 'small', 'base'),
    )
    .option(
      '--latent <n>',
      "dimensions of the embedding, 8 to 4096 (default: the size's own)",
      integer(8, 4096),
    )
    .option(
      '--tile-size <px>',
      "side, a multiple of 32 up to 1024 (default: the first tile's, rounded down)",
      integer(32, 1024),
    )
    .optionsGroup('Virtual labs:')
    .option('--views <n>', 'renderings of each tile in a step, 2 to 16 (default: 2)', integer(2, 16))
    .option('--no-view-turn', 'all views of a tile with the same rotation and flip, instead of each its own')
    .option(
      '--view-crop <share>',
      'least side of the part of a tile that a view shows, each view its own (default: 1)',
      number(0.2, 1),
    )
    .option('--labs <n>', 'virtual labs drawn from the prior, 1 to 4096 (default: 64)', integer(1, 4096))
    .option(
      '--strength <x>',
      'how far the labs lie apart, 0 to 4 (default: 1.5 for H&E, else 1)',
      number(0, 4),
    )
    .option('--kind <name>', `${KINDS.slice(0, -1).join(', ')}: what varies (default: he)`, oneOf(...KINDS))
    .option('--manifold <file>', 'options of one manifold, or of a list of them, as JSON')
    .option('--stain-column <name>', "manifest column of each tile's stain, for a list of manifolds")
    .option('--no-geometry', 'without rotations and flips')
    .option('--lab-column <name>', 'manifest column of real labs, which join the virtual ones')
    .option('--group-column <name>', 'manifest column: tiles of one value are not pushed apart')
    .optionsGroup('The objective:')
    .option(
      '--compaction <name>',
      'contrastive or cross-correlation: how renderings are drawn together (default: contrastive)',
      oneOf('contrastive', 'cross-correlation'),
    )
    .option(
      '--temperature <x>',
      'of the contrastive compaction, 0.01 to 10 (default: 0.07)',
      number(0.01, 10),
    )
    .option(
      '--weight <term=x>',
      'weight of compaction (1), scatter (0.1), reconstruction (1) or adversarial (0.3); may be repeated',
      weights,
    )
    .optionsGroup('The optimiser:')
    .option('--learning-rate <x>', 'peak rate (default: 1e-3)', number(0))
    .option('--weight-decay <x>', 'of AdamW (default: 0.05)', number(0))
    .option('--warmup <share>', 'share of all steps, 0 to 0.5 (default: 0.05)', number(0, 0.5))
    .option('--clip-norm <x>', 'limit of the gradient norm, 0 = off (default: 1)', number(0));
  addRuntime(command);
  addJson(
    command,
    'print JSON lines on stdout and nothing else: {"event":"step",...} for each step, then {"event":"done",...}',
  );
  addProfile(command, "trace.json in the run's folder");
  addExamples(command, [
    ['train tiles/manifest.csv --where site=UMCU --out run --seed 1', 'Train on one site of a manifest'],
    [
      'train tiles/manifest.csv --where site=UMCU --out run --seed 1 --resume',
      'Continue after Ctrl-C, a crash or a reboot',
    ],
    ['train folder-of-images --out run --size small --device cuda', 'A larger encoder, on a GPU'],
  ]);
  command.action((tiles: string, flags: TrainFlags) =>
    interruptible(session, (signal) => runTrain(session, tiles, flags, signal)),
  );
}

async function runTrain(
  session: Session,
  tiles: string,
  flags: TrainFlags,
  signal: AbortSignal,
): Promise<void> {
  const { terminal } = session;
  const { json, labs, strength, geometry, kind, manifold, weight, cache, profile, ...options } = flags;
  const { createProfiler, StainfoldError, train } = await import('../../index.js');
  const profiler = profile && createProfiler();
  let last: TrainProgress | undefined;
  let result: TrainResult;
  try {
    using progress = startProgress(terminal, 'training');
    result = await train({
      ...options,
      tiles,
      signal,
      manifold: await manifoldOf(flags),
      ...(weight && { weights: weight }),
      ...(profiler && { profile: profiler }),
      ...(cache !== undefined && { cacheBytes: cache * 2 ** 20 }),
      onProgress: (step) => {
        last = step;
        if (json) terminal.json({ event: 'step', ...step });
        progress.update(step.step, step.steps, describeStep(step));
      },
    });
  } catch (error) {
    if (signal.aborted) sayHowToResume(session, flags, last);
    else if (error instanceof StainfoldError && last !== undefined) sayHowToResume(session, flags, last);
    throw error;
  }
  showUnreadable(terminal, result.unreadable);
  const profiled = profiler && (await finishProfile(terminal, profiler, join(flags.out, 'trace.json')));
  if (json) {
    terminal.json({ event: 'done', ...result, ...profiled });
    return;
  }
  const { last: end } = result;
  const { stdout } = terminal.colours;
  terminal.print(
    `${stdout.green('✔')} ${count(result.steps, 'step')} on ${count(result.tiles, 'tile')} in ${formatDuration(result.seconds)}`,
  );
  terminal.print(
    facts(
      [
        ['model', result.model],
        ['checkpoint', result.checkpoint],
        ['loss', end.loss.toFixed(4)],
        ['compaction ratio', `${end.scatter.toFixed(4)} of the variance lies between renderings of one tile`],
        [
          'lab discriminator',
          `${end.discriminatorAccuracy.toFixed(3)} (chance ${end.discriminatorChance.toFixed(3)})`,
        ],
        ['effective rank', end.rank.toFixed(1)],
      ],
      stdout,
    ),
  );
}

/** The file's manifold with what the flags say, or the file's list as it is. */
async function manifoldOf(flags: TrainFlags): Promise<Manifold | Manifold[]> {
  const { manifold, labs, strength, geometry, kind } = flags;
  const given = manifold === undefined ? {} : await readManifolds(manifold);
  if (Array.isArray(given)) return given;
  return {
    ...given,
    ...(kind && { kind }),
    ...(!geometry && { geometry }),
    ...(labs !== undefined && { labs }),
    ...(strength !== undefined && { strength }),
  } as Manifold;
}

function describeStep({ epoch, epochs, loss, scatter, tilesPerSecond }: TrainProgress): string {
  return `epoch ${epoch}/${epochs} · loss ${loss.toFixed(3)} · compaction ratio ${scatter.toFixed(3)} · ${tilesPerSecond.toFixed(0)} tiles/s`;
}

function sayHowToResume(session: Session, { resume }: TrainFlags, last: TrainProgress | undefined): void {
  const { terminal, commandLine } = session;
  if (last === undefined) {
    terminal.note('Stopped before the first step.');
    return;
  }
  terminal.note(`Stopped at step ${last.step} of ${last.steps}. Continue with:`);
  terminal.note(`  ${commandLine}${resume ? '' : ' --resume'}`);
}
