import { type Command, InvalidArgumentError } from 'commander';
import type { ManifestLayout } from '../../index.js';
import { showUnreadable } from '../errors.js';
import { count } from '../format.js';
import { addExamples, addJson, type JsonFlag } from '../options.js';
import { checkOutput } from '../output-file.js';
import { integer, pathEnding } from '../parse.js';
import { startProgress } from '../progress.js';
import { interruptible, type Session } from '../session.js';

interface ManifestFlags extends JsonFlag {
  out: string;
  labels?: string;
  tileSize?: number;
  annotations?: string;
}

const LAYOUTS: readonly ManifestLayout[] = ['tcga', 'camelyon16', 'midog'];

export function registerManifest(program: Command, session: Session): void {
  const command = program
    .command('manifest')
    .summary("write the manifest of a public data set's folder")
    .description(
      'Write the manifest (file, site, slide, labels) of a public data set as it lies on disk: tiles extracted from TCGA or ' +
        'Camelyon16 slides, or the regions of MIDOG, whose patches are cut around the annotations.',
    )
    .argument('<layout>', LAYOUTS.join(', '), (text: string): ManifestLayout => {
      const layout = LAYOUTS.find((candidate) => candidate === text);
      if (layout === undefined) throw new InvalidArgumentError(`Expected ${LAYOUTS.join(', ')}.`);
      return layout;
    })
    .argument('<folder>', "the data set's folder")
    .optionsGroup('What to write:')
    .requiredOption('-o, --out <file>', 'CSV to write; MIDOG patches go beside it', pathEnding('.csv'))
    .option(
      '--labels <file>',
      'CSV with a slide or patient column: its other columns are joined to each tile',
    )
    .option('--tile-size <px>', 'MIDOG: side of a patch, a multiple of 32 (default: 128)', integer(32, 1024))
    .option('--annotations <file>', 'MIDOG: the JSON file (default: the one in the folder)');
  addJson(command);
  addExamples(command, [
    ['manifest camelyon16 camelyon16-tiles -o camelyon16.csv', 'Tiles of Camelyon16 slides, by centre'],
    [
      'manifest tcga tcga-brca-tiles -o tcga.csv --labels clinical.csv',
      'Tiles of TCGA-BRCA slides by tissue source site, with a column of your own',
    ],
    [
      'manifest midog MIDOGpp -o midog/manifest.csv --tile-size 64',
      'Patches of MIDOG++ around each annotation',
    ],
  ]);
  command.action((layout: ManifestLayout, folder: string, flags: ManifestFlags) =>
    interruptible(session, (signal) => runManifest(session, layout, folder, flags, signal)),
  );
}

async function runManifest(
  { terminal }: Session,
  layout: ManifestLayout,
  folder: string,
  { json, ...flags }: ManifestFlags,
  signal: AbortSignal,
): Promise<void> {
  await checkOutput(flags.out, []);
  const { createManifest } = await import('../../index.js');
  const made = await (async () => {
    using progress = startProgress(terminal, 'reading');
    return await createManifest({
      ...flags,
      layout,
      folder,
      signal,
      onProgress: (done, total) => progress.update(done, total),
    });
  })();
  if (json) {
    terminal.json(made);
    return;
  }
  showUnreadable(terminal, made.skipped, 'could not be placed');
  const { green, dim } = terminal.colours.stdout;
  const sites = Object.entries(made.sites).sort(([, a], [, b]) => b - a);
  terminal.print(`${green('✔')} ${count(made.tiles, 'tile')} of ${count(sites.length, 'site')}`);
  terminal.print(`${dim('manifest')}  ${made.manifest}  ${dim(`(file, ${made.columns.join(', ')})`)}`);
  terminal.print(`${dim('sites   ')}  ${sites.map(([name, tiles]) => `${name} ${tiles}`).join(', ')}`);
}
