import type { Command } from 'commander';
import type { Audit, AuditSite } from '../../index.js';
import { showUnreadable } from '../errors.js';
import { count, facts, formatDuration } from '../format.js';
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
import { integer, number } from '../parse.js';
import { timed } from '../progress.js';
import { interruptible, type Session } from '../session.js';
import type { Colours } from '../terminal.js';

interface AuditFlags extends SelectionFlags, RuntimeFlags, JsonFlag {
  against?: string;
  againstTiles?: string;
  slideColumn?: string;
  limit?: number;
  labs?: number;
  strength?: number;
  seed?: number;
}

export function registerAudit(program: Command, session: Session): void {
  const command = program
    .command('audit')
    .summary("measure how diverse a source's stain is, before training on it")
    .description(
      "Measure how diverse a source's stain is before training on it, beside what the virtual labs add; which other sites lie " +
        'outside; and what should be put right first.',
    )
    .argument('<tiles>', TILES);
  addSelection(command);
  command
    .optionsGroup('What to compare with:')
    .option('--against <column>', 'manifest column of sites; the source is its value in --where')
    .option('--against-tiles <path>', 'folder or manifest of other tiles')
    .option('--slide-column <name>', 'column of slides (default: slide, where there is one)')
    .option('--limit <n>', 'tiles looked at in each site, evenly spread (default: 400)', integer(2))
    .optionsGroup('Virtual labs:')
    .option('--labs <n>', 'as in train, 1 to 4096 (default: 64)', integer(1, 4096))
    .option('--strength <x>', 'as in train, 0 to 4 (default: 1.5)', number(0, 4))
    .option('--seed <n>', 'as in train (default: 1)', integer(0));
  addRuntime(command);
  addJson(command);
  addExamples(command, [
    ['audit tiles/manifest.csv --where site=UMCU', 'One site of a manifest'],
    ['audit tiles/manifest.csv --where site=UMCU --against site', 'The same beside the other sites'],
  ]);
  command.action((tiles: string, flags: AuditFlags) =>
    interruptible(session, (signal) => runAudit(session, tiles, flags, signal)),
  );
}

async function runAudit(
  { terminal }: Session,
  tiles: string,
  {
    json,
    against,
    labs,
    strength,
    where,
    strict,
    againstTiles,
    slideColumn,
    limit,
    seed,
    ...rest
  }: AuditFlags,
  signal: AbortSignal,
): Promise<void> {
  const { audit } = await import('../../index.js');
  const { made: found, seconds } = await timed(terminal, 'looking', (update) =>
    audit({
      ...runtime(rest),
      tiles,
      signal,
      manifold: { ...(labs !== undefined && { labs }), ...(strength !== undefined && { strength }) },
      ...(where && { where }),
      ...(strict && { strict }),
      ...(against !== undefined && { againstColumn: against }),
      ...(againstTiles !== undefined && { againstTiles }),
      ...(slideColumn !== undefined && { slideColumn }),
      ...(limit !== undefined && { limit }),
      ...(seed !== undefined && { seed }),
      onProgress: update,
    }),
  );
  showUnreadable(terminal, found.unreadable);
  if (json) {
    terminal.json({ ...found, seconds });
    return;
  }
  const { stdout } = terminal.colours;
  const slides = found.slides === null ? '' : ` of ${count(found.slides, 'slide')}`;
  terminal.print(`${count(found.tiles, 'tile')}${slides}, in ${formatDuration(seconds)}\n`);
  terminal.print(spreadTable(found, stdout));
  terminal.print(`\n${summary(found, stdout)}`);
  if (found.sites.length > 0) terminal.print(`\n${siteTable(found.sites, stdout)}`);
  const { yellow, green } = stdout;
  terminal.print('');
  if (found.warnings.length === 0) terminal.print(`${green('✔')} nothing to warn of`);
  for (const { message } of found.warnings) terminal.print(`${yellow('!')} ${message}`);
}

function spreadTable({ spread }: Audit, { dim }: Colours): string {
  const head = `${'deviation of'.padEnd(30)}${'tiles'.padStart(8)}${'slides'.padStart(8)}${'prior'.padStart(8)}${'within the prior'.padStart(19)}`;
  const rows = spread.map(({ quantity, tiles, slides, prior, within }) => {
    const hue = quantity.includes('concentration') ? 'ln ' : '';
    const unit = hue === '' ? '°' : '';
    const digits = hue === '' ? 1 : 2;
    const value = (x: number | null) => (x === null ? '-' : `${x.toFixed(digits)}${unit}`).padStart(8);
    return `${`${hue}${quantity}`.padEnd(30)}${value(tiles)}${value(slides)}${value(prior)}${`${(100 * within).toFixed(0)} % of tiles`.padStart(19)}`;
  });
  return [dim(head), ...rows].join('\n');
}

function summary({ lab, white, fallback, sharpness, virtualLabs }: Audit, colours: Colours): string {
  const outside = virtualLabs.filter(({ outsideSource }) => outsideSource).length;
  const triple = (values: readonly number[]) => values.map((x) => x.toFixed(1)).join(', ');
  return facts(
    [
      ['colour (L, a, b)', `${triple(lab.mean)}, deviation over tiles ${triple(lab.spread)}`],
      ['mostly glass', `${(100 * white).toFixed(1)} % of tiles`],
      ['stain not separable', `${(100 * fallback).toFixed(1)} % of tiles`],
      [
        'fine detail',
        `${sharpness.median.toFixed(3)} (median); ${(100 * sharpness.blurred).toFixed(1)} % of tiles have less than a third of it`,
      ],
      ['virtual labs', `${outside} of ${virtualLabs.length} lie outside what this source shows by itself`],
    ],
    colours,
  );
}

/** What each site differs in most, in deviations of the source and of the prior. */
function siteTable(sites: readonly AuditSite[], { dim, green, yellow }: Colours): string {
  const width = Math.max(4, ...sites.map(({ name }) => name.length)) + 2;
  const head = `${'site'.padEnd(width)}${'tiles'.padStart(6)}   furthest in`;
  const rows = sites.map(({ name, tiles, inSource, inPrior, outsidePrior, outsideSource }) => {
    const [quantity, deviations] = furthest(inPrior);
    const own = inSource[quantity];
    const verdict = outsidePrior
      ? yellow('outside the prior')
      : outsideSource
        ? green('outside the source, within the prior')
        : green('within the source');
    return `${name.padEnd(width)}${String(tiles).padStart(6)}   ${quantity}: ${signed(deviations)} deviations of the prior, ${signed(own)} of the source; ${verdict}`;
  });
  return [dim(head), ...rows].join('\n');
}

function furthest(by: AuditSite['inPrior']): [keyof AuditSite['inPrior'], number] {
  const entries = Object.entries(by) as [keyof AuditSite['inPrior'], number][];
  return entries.reduce((far, entry) => (Math.abs(entry[1]) > Math.abs(far[1]) ? entry : far));
}

const signed = (x: number): string => `${x < 0 ? '−' : '+'}${Math.abs(x).toFixed(1)}`;
