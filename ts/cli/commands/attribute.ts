import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { AttributionMethod, AttributionTarget, RawTile, TileAttribution } from '../../index.js';
import { addBatchSize, type EncoderFlags, runEncoder } from '../encoder-run.js';
import { count, formatDuration } from '../format.js';
import { addExamples, addJson, addRuntime, addSelection, type JsonFlag, TILES } from '../options.js';
import { savePicture } from '../output-file.js';
import { integer, oneOf, pathEnding } from '../parse.js';
import { interruptible, type Session } from '../session.js';

interface AttributeFlags extends EncoderFlags, JsonFlag {
  out: string;
  like?: string;
  direction?: string;
  method?: AttributionMethod;
  baseline?: 'glass' | 'blur';
  steps?: number;
  stage?: 1 | 2 | 3 | 4;
  limit?: number;
}

/** Tiles that are explained where there are more, evenly spread: each costs about 150 forward passes. */
const LIMIT = 12;

export function registerAttribute(program: Command, session: Session): void {
  const command = program
    .command('attribute')
    .summary('draw which pixels an embedding rests on, and how it moves with the stain')
    .description(
      'Draw which pixels an embedding rests on (integrated gradients and Grad-CAM), and how far it moves with each stain and with ' +
        'the scanner. Writes a picture for each map and a contact sheet.',
    )
    .argument('<tiles>', TILES);
  addSelection(command);
  command
    .optionsGroup('What to explain:')
    .requiredOption('--model <file>', 'model.safetensors (or checkpoint.safetensors) of a run')
    .requiredOption('-o, --out <folder>', 'where the pictures and sheet.png go; created')
    .option('--like <image>', 'explain the likeness to this tile (default: the length of the embedding)')
    .option(
      '--direction <file>',
      "explain a probe's decision: JSON list of its weights, one a dimension",
      pathEnding('.json'),
    )
    .option(
      '--method <name>',
      'gradients, cam or sensitivity alone (default: all)',
      oneOf('gradients', 'cam', 'sensitivity'),
    )
    .option('--limit <n>', `tiles, evenly spread over those given (default: ${LIMIT})`, integer(1))
    .optionsGroup('How:')
    .option(
      '--baseline <name>',
      'glass or blur: where the gradients are integrated from (default: glass)',
      oneOf('glass', 'blur'),
    )
    .option('--steps <n>', 'steps of the integral, 1 to 4096 (default: 32)', integer(1, 4096))
    .option('--stage <n>', 'encoder stage of Grad-CAM, 1 to 4: fine to coarse (default: 3)', integer(1, 4));
  addBatchSize(command, 4096, 8);
  addRuntime(command);
  addJson(command);
  addExamples(command, [
    ['attribute tiles --model run/model.safetensors -o maps', 'What the embeddings of a folder rest on'],
    [
      'attribute tiles/manifest.csv --where site=XR --model run/model.safetensors -o maps --like mitosis.png',
      'Why tiles are like another',
    ],
  ]);
  command.action((tiles: string, flags: AttributeFlags) =>
    interruptible(session, (signal) => runAttribute(session, tiles, flags, signal)),
  );
}

async function runAttribute(
  session: Session,
  tiles: string,
  { out, like, direction, method, limit, batchSize, json, ...flags }: AttributeFlags,
  signal: AbortSignal,
): Promise<void> {
  const { terminal } = session;
  const { baseline, steps, stage } = flags;
  const { attributionSheet, encodeTile, readTile } = await import('../../index.js');
  const target = await targetOf(like, direction);
  const begun = performance.now();
  let all = 0;
  const run = await runEncoder(session, tiles, { ...flags, batchSize: batchSize ?? 8 }, signal, {
    title: 'explaining',
    choose: (listed) => {
      all = listed.length;
      return pickEvenly(listed, Math.min(all, limit ?? LIMIT));
    },
    work: async (encoder, chosen, options) => {
      const found = await encoder.attribute(
        chosen.map(({ path }) => path),
        {
          ...options,
          target,
          overlays: true,
          ...(method && { methods: [method] }),
          ...(baseline && { baseline }),
          ...(steps && { steps }),
          ...(stage && { stage }),
        },
      );
      return { found, tileSize: encoder.info.tileSize };
    },
  });
  const { read, unreadable, device } = run;
  const { found, tileSize } = run.result;
  const pictures: string[] = [];
  for (const [i, tile] of found.entries()) {
    const stem = `${String(i + 1).padStart(3, '0')}_${stemOf(read[i]?.file ?? '')}`;
    for (const [name, picture] of overlaysOf(tile)) {
      const path = join(out, `${stem}_${name}.png`);
      await savePicture(path, await encodeTile(picture));
      pictures.push(path);
    }
  }
  const shown = await Promise.all(read.map(({ path }) => readTile(path, tileSize)));
  const sheet = join(out, 'sheet.png');
  await savePicture(sheet, await attributionSheet(shown, found));

  const seconds = (performance.now() - begun) / 1000;
  if (json) {
    const numbers = found.map((tile, i) => ({ file: read[i]?.file ?? '', ...numbersOf(tile) }));
    terminal.json({ sheet, pictures, tiles: numbers, seconds, device, unreadable });
    return;
  }
  const { green, dim } = terminal.colours.stdout;
  const of = all > found.length ? ` of ${all.toLocaleString('en-US')}` : '';
  terminal.print(
    `${green('✔')} ${count(found.length, 'tile')}${of}, ${count(pictures.length, 'picture')} in ${out}, in ${formatDuration(seconds)} on ${device}`,
  );
  const moved = meanSensitivity(found);
  if (moved !== undefined) {
    terminal.print(
      `${dim('z moves, for a factor of e:')} ${moved.map(([name, share]) => `${name} ${(100 * share).toFixed(0)} %`).join(', ')} ${dim('of its length (mean)')}`,
    );
  }
  terminal.print(`${dim('sheet')}  ${sheet}`);
}

async function targetOf(like?: string, direction?: string): Promise<AttributionTarget> {
  const { StainfoldError } = await import('../../index.js');
  if (like !== undefined && direction !== undefined) {
    throw new StainfoldError('STAINFOLD_OPTION', 'Give --like or --direction, not both');
  }
  if (like !== undefined) return { similarTo: like };
  if (direction === undefined) return 'norm';
  try {
    const parsed: unknown = JSON.parse(await readFile(direction, 'utf8'));
    if (Array.isArray(parsed) && parsed.every((x) => typeof x === 'number')) return { direction: parsed };
  } catch (cause) {
    throw new StainfoldError('STAINFOLD_FILE_READ', `${direction} cannot be read as JSON`, { cause });
  }
  throw new StainfoldError('STAINFOLD_OPTION', `${direction} is not a JSON list of numbers`);
}

function pickEvenly<Item>(items: readonly Item[], n: number): Item[] {
  return Array.from({ length: n }, (_, i) => items[Math.floor((i * items.length) / n)] as Item);
}

const stemOf = (file: string): string =>
  (file.split(/[\\/]/).at(-1) ?? '').replace(/\.\w+$/, '').replace(/[^\w.-]/g, '_');

function* overlaysOf({ gradients, cam, sensitivity }: TileAttribution): Generator<[string, RawTile]> {
  if (gradients?.overlay) yield ['gradients', gradients.overlay];
  if (cam?.overlay) yield ['cam', cam.overlay];
  for (const [name, { overlay }] of Object.entries(sensitivity ?? {})) if (overlay) yield [name, overlay];
}

/** What of an attribution is a number. */
function numbersOf({ gradients, cam, sensitivity }: TileAttribution) {
  return {
    ...(gradients && { value: gradients.value, baselineValue: gradients.baselineValue }),
    ...(cam && !gradients && { value: cam.value }),
    ...(sensitivity && {
      sensitivity: Object.fromEntries(
        Object.entries(sensitivity).map(([name, { length, relative }]) => [name, { length, relative }]),
      ),
    }),
  };
}

function meanSensitivity(found: readonly TileAttribution[]): [string, number][] | undefined {
  const names = Object.keys(found[0]?.sensitivity ?? {}) as (keyof NonNullable<
    TileAttribution['sensitivity']
  >)[];
  if (names.length === 0) return undefined;
  return names.map((name) => {
    const shares = found.map(({ sensitivity }) => sensitivity?.[name].relative ?? 0);
    return [name, shares.reduce((sum, share) => sum + share, 0) / shares.length];
  });
}
