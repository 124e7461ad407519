import type { Command } from 'commander';
import type { StainMethod, StainNormalizer, StainPixels, StainSet, StainStatus } from '../../index.js';
import { showUnreadable } from '../errors.js';
import { count, facts, formatDuration } from '../format.js';
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
import { checkOutput } from '../output-file.js';
import { integer, number, oneOf, pairs } from '../parse.js';
import { startProgress, timed } from '../progress.js';
import { interruptible, type Session } from '../session.js';
import type { Terminal } from '../terminal.js';

export const STAINS = 'with ruifrok: he, hed, hdab, hrd, haec, hpas, gdab, giemsa or alcian (default: he)';
export const stainSet = oneOf<StainSet>(
  'he',
  'hed',
  'hdab',
  'hrd',
  'haec',
  'hpas',
  'gdab',
  'giemsa',
  'alcian',
);

interface NormalizeFlags extends SelectionFlags, PlaceFlags, JsonFlag {
  out: string;
  method?: StainMethod;
  stains?: StainSet;
  clamp?: number;
  pixels?: StainPixels;
  reference?: string;
  referenceWhere?: Record<string, string>;
  fit?: string;
  saveFit?: string;
  per?: 'tile' | 'slide' | 'set';
  slideColumn?: string;
  format?: 'png' | 'webp' | 'tiff';
  compression?: 'jpeg' | 'deflate';
  quality?: number;
  mpp?: number;
  icc?: true;
}

export function registerNormalize(program: Command, session: Session): void {
  const command = program
    .command('normalize')
    .summary('give tiles or a whole slide the stain of a reference')
    .description(
      'Give tiles the stain of a reference: a new set with the same labels, to train on and evaluate. Or a slide, where --out ' +
        'is a .tiff: a pyramid, one fit for all of it.',
    )
    .argument('<tiles>', `${TILES}; or a slide`);
  addSelection(command);
  command
    .optionsGroup('What to do:')
    .requiredOption(
      '-o, --out <path>',
      'folder where tiles/ and manifest.csv go, created; of a slide a .tiff or .ome.tiff',
    )
    .option(
      '--method <name>',
      'macenko, vahadane, ruifrok, reinhard or histogram (default: macenko)',
      oneOf('macenko', 'vahadane', 'ruifrok', 'reinhard', 'histogram'),
    )
    .option(
      '--reference <path>',
      "image, folder, manifest or slide to fit to, all as one; without it macenko and vahadane take torchstain's reference",
    )
    .option(
      '--reference-where <column=value>',
      "keep these rows of the reference's manifest; may be repeated",
      pairs,
    )
    .option('--fit <file>', 'a fit that --save-fit wrote, instead of --method and --reference')
    .option('--save-fit <file>', 'keep the fit, as JSON')
    .option(
      '--per <unit>',
      'one fit for each tile, for each slide or for the whole set (default: tile)',
      oneOf('tile', 'slide', 'set'),
    )
    .option('--slide-column <column>', 'manifest column that names the slide (default: slide)')
    .option('--stains <set>', STAINS, stainSet)
    .option(
      '--pixels <which>',
      'with reinhard and histogram: tissue, glass stays as it is; or all, as published (default: tissue)',
      oneOf('tissue', 'all'),
    )
    .option('--clamp <factor>', 'limit of any change of scale, 1 to 100 (default: 3)', number(1, 100))
    .option(
      '--format <name>',
      'of the tiles written, lossless: png, webp or tiff (default: png)',
      oneOf('png', 'webp', 'tiff'),
    );
  command
    .optionsGroup('Of a slide:')
    .option('--compression <name>', 'jpeg or deflate, lossless (default: jpeg)', oneOf('jpeg', 'deflate'))
    .option('--quality <n>', 'of JPEG, 1 to 100 (default: 90)', integer(1, 100))
    .option('--mpp <µm>', "micrometres per pixel, where the file doesn't say", number(0.01, 100))
    .option('--icc', "convert to sRGB by the slide's colour profile first");
  addPlace(command);
  addJson(command);
  addExamples(command, [
    ['normalize slide.svs --method vahadane --out slide.tiff', 'A whole slide, as a pyramid'],
    ['normalize tiles --out normalized', "A folder, each tile to torchstain's reference"],
    [
      'normalize tiles.csv --out normalized --reference tiles.csv --reference-where site=UMCU --per slide',
      'Every site to the stain of one, each slide as a whole',
    ],
  ]);
  command.action((tiles: string, flags: NormalizeFlags) =>
    interruptible(session, (signal) => runNormalize(session, tiles, flags, signal)),
  );
}

async function runNormalize(
  { terminal }: Session,
  tiles: string,
  flags: NormalizeFlags,
  signal: AbortSignal,
): Promise<void> {
  const { normalizeTiles, StainfoldError } = await import('../../index.js');
  const { out, where, strict, saveFit, per, slideColumn, format, json } = flags;
  const whole = /\.tiff?$/i.test(out);
  await refuseIdle(flags, whole);
  if (whole) await checkOutput(out, [tiles]);
  else if (SLIDE.test(tiles)) {
    throw new StainfoldError('STAINFOLD_OPTION', `${tiles} is a slide, and --out ${out} is no .tiff`, {
      hint: 'Give --out a name that ends in .tiff or .ome.tiff.',
    });
  }
  if (saveFit) await checkOutput(saveFit, [tiles, flags.reference]);
  const begun = performance.now();
  const normalizer = await openNormalizer(terminal, flags, signal);
  if (whole) return normalizeWhole(terminal, normalizer, tiles, flags, signal);
  if (saveFit) await normalizer.save(saveFit);
  const made = await (async () => {
    using fitting = startProgress(terminal, 'fitting');
    using progress = startProgress(terminal, 'normalizing');
    return await normalizeTiles(normalizer, {
      tiles,
      out,
      signal,
      ...(where && { where }),
      ...(strict && { strict }),
      ...(per && { per }),
      ...(slideColumn && { slideColumn }),
      ...(format && { format }),
      onProgress: ({ stage, done, total }) => (stage === 'fitting' ? fitting : progress).update(done, total),
    });
  })();
  const seconds = (performance.now() - begun) / 1000;
  showUnreadable(terminal, made.unreadable);
  if (json) {
    terminal.json({ ...made, method: normalizer.method, seconds });
    return;
  }
  const { green, dim } = terminal.colours.stdout;
  terminal.print(
    `${green('✔')} ${count(made.tiles, 'tile')} by ${normalizer.method}, in ${formatDuration(seconds)}`,
  );
  terminal.print(`${dim('manifest')}  ${made.manifest}`);
  showStatuses(terminal, made.statuses);
}

/** What is a slide by its name. */
const SLIDE = /\.(svs|ndpi|mrxs|scn|vms|svslide|bif|dcm|tiff?)$/i;

/** An option that does nothing would be believed to do something. */
async function refuseIdle(flags: NormalizeFlags, whole: boolean): Promise<void> {
  const { StainfoldError } = await import('../../index.js');
  const { method, reference, fit } = flags;
  const ofTiles = ['where', 'strict', 'per', 'slideColumn', 'format'] as const;
  const ofSlide = ['compression', 'quality', 'mpp', 'icc'] as const;
  const ofFit = ['stains', 'pixels', 'referenceWhere'] as const;
  const given = <Name extends keyof NormalizeFlags>(names: readonly Name[]): string | undefined =>
    names
      .find((name) => flags[name] !== undefined)
      ?.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const refuse = (name: string | undefined, why: string, hint: string): void => {
    if (name !== undefined) throw new StainfoldError('STAINFOLD_OPTION', `--${name} is ${why}`, { hint });
  };
  if (whole) refuse(given(ofTiles), `of tiles, and --out ${flags.out} is a slide`, 'Leave it out.');
  else
    refuse(
      given(ofSlide),
      `of a slide, and --out ${flags.out} is a folder of tiles`,
      'Give a .tiff, or leave it out.',
    );
  const published = reference === undefined && fit === undefined;
  if (published && (method === undefined || method === 'macenko' || method === 'vahadane'))
    refuse(given(ofFit), 'of a fit to a reference, and there is none', 'Give --reference, or leave it out.');
}

async function normalizeWhole(
  terminal: Terminal,
  normalizer: StainNormalizer,
  slide: string,
  { out, compression, quality, mpp, icc, saveFit, json }: NormalizeFlags,
  signal: AbortSignal,
): Promise<void> {
  const { normalizeSlide } = await import('../../index.js');
  if (saveFit) await normalizer.save(saveFit);
  const { made, seconds } = await timed(terminal, 'normalizing', (update) =>
    normalizeSlide(normalizer, {
      slide,
      out,
      signal,
      ...(compression && { compression }),
      ...(quality !== undefined && { quality }),
      open: { ...(mpp !== undefined && { mpp }), ...(icc && { icc }) },
      onProgress: update,
    }),
  );
  if (json) {
    terminal.json({ ...made, seconds });
    return;
  }
  const { green } = terminal.colours.stdout;
  const [first] = made.levels;
  const size = made.mpp === null ? 'pixel size unknown' : `${made.mpp} µm/px`;
  const held = made.status === 'clamped' ? `; ${MEANING.clamped}` : '';
  terminal.print(
    `${green('✔')} ${made.path}: ${first?.width} × ${first?.height} px in ${count(made.levels.length, 'level')}, ${size}, by ${made.method}, in ${formatDuration(seconds)}${held}`,
  );
}

async function openNormalizer(
  terminal: Terminal,
  { method, stains, clamp, pixels, reference, referenceWhere, fit, ...flags }: NormalizeFlags,
  signal: AbortSignal,
): Promise<StainNormalizer> {
  const { listTiles, sampleTissue, StainfoldError, StainNormalizer } = await import('../../index.js');
  const where = { ...place(flags), signal };
  if (fit) {
    if (method || stains || reference || pixels || clamp !== undefined) {
      throw new StainfoldError(
        'STAINFOLD_OPTION',
        '--fit already says method, reference, stains, pixels and clamp',
        {
          hint: 'Leave the other options out.',
        },
      );
    }
    return StainNormalizer.load(fit, where);
  }
  const limit = clamp === undefined ? {} : { clamp };
  if (!reference) {
    if (method && method !== 'macenko' && method !== 'vahadane') {
      throw new StainfoldError('STAINFOLD_OPTION', `${method} has no published reference`, {
        hint: 'Give an image, a folder, a manifest or a slide with --reference.',
      });
    }
    return StainNormalizer.published({ ...where, ...limit, ...(method && { method }) });
  }
  const slide = SLIDE.test(reference);
  const image = /\.(jpe?g|png|webp|bmp)$/i.test(reference);
  const paths = image
    ? [reference]
    : slide
      ? await sampleTissue(reference, { signal })
      : (
          await listTiles({ tiles: reference, signal, ...(referenceWhere && { where: referenceWhere }) })
        ).tiles.map(({ path }) => path);
  using progress = startProgress(terminal, 'fitting the reference');
  return await StainNormalizer.fit(paths, {
    ...where,
    ...limit,
    ...(method && { method }),
    ...(stains && { stains }),
    ...(pixels && { pixels }),
    onProgress: (done) => progress.update(done, paths.length),
    ...(!flags.strict && { onUnreadable: () => undefined }),
  });
}

const MEANING: Record<StainStatus, string> = {
  ok: '',
  'little-tissue': 'as they were: too few stained pixels',
  'weak-stain': 'as they were: grey, or of one stain only',
  clamped: 'held at the limit of --clamp',
};

export function showStatuses(terminal: Terminal, statuses: Record<StainStatus, number>): void {
  const { dim } = terminal.colours.stdout;
  const rows = Object.entries(statuses)
    .filter(([, tiles]) => tiles > 0)
    .map(([status, tiles]) => {
      const meaning = MEANING[status as StainStatus];
      return [status, `${tiles.toLocaleString('en-US')}${meaning ? `  ${dim(meaning)}` : ''}`] as const;
    });
  terminal.print(facts(rows, terminal.colours.stdout));
}
