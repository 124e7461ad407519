/** What a benchmark shows, in words that come from its numbers alone. */
import type { BenchmarkClaim, BenchmarkComparison, BenchmarkRow, BenchmarkRowResult } from '../types.js';
import { ratio } from './benchmark-summary.js';

export interface Findings {
  rows: readonly BenchmarkRowResult[];
  comparisons: readonly BenchmarkComparison[];
  /** Of reading the site among the unseen ones. */
  siteChance: number | null;
  probeChance: number | null;
  batchColumn: string;
  labelColumn: string | null;
  /** Asked for. */
  seeds: number;
}

const CLASSICAL: readonly BenchmarkRow[] = ['reinhard', 'macenko', 'vahadane', 'histogram'];
const REFERENCES: readonly BenchmarkRow[] = ['colour', 'untrained'];
const isAblation = (row: BenchmarkRow): boolean => row.startsWith('lmc-');
/** A silhouette within this of zero counts as mixed. */
const MIXED = 0.1;

export function concludeBenchmark(findings: Findings): BenchmarkClaim[] {
  const claims = [
    siteReadability(findings),
    otherSlides(findings),
    silhouette(findings),
    transfer(findings),
    ablations(findings),
    complete(findings),
  ];
  return claims.filter((claim) => claim !== undefined);
}

const find = (rows: readonly BenchmarkRowResult[], row: BenchmarkRow): BenchmarkRowResult | undefined =>
  rows.find((candidate) => candidate.row === row);

function siteReadability({ rows, siteChance, batchColumn }: Findings): BenchmarkClaim | undefined {
  const lmc = find(rows, 'lmc');
  const own = lmc?.summary['knn-unseen'];
  if (own === undefined || siteChance === null) return undefined;
  const base = find(rows, 'none');
  const classical = rows
    .filter(({ row, summary }) => CLASSICAL.includes(row) && summary['knn-unseen'] !== undefined)
    .sort((a, b) => knn(a) - knn(b))[0];
  const rivals = [base, classical].filter((row) => row?.summary['knn-unseen'] !== undefined);
  const compared = rivals.map((rival) => {
    const times = ratio(lmc, rival, siteChance);
    const name = rival?.row === 'none' ? 'the autoencoder' : `the best classical normaliser, ${rival?.title}`;
    const value = percent(knn(rival as BenchmarkRowResult));
    return times === null
      ? { times, text: `${name} is not above chance itself (${value})` }
      : { times, text: `${times.toFixed(2)} times as far above chance as from ${name} (${value})` };
  });
  const known = compared.flatMap(({ times }) => (times === null ? [] : [times]));
  const holds = known.length === 0 ? null : known.every((times) => times <= 0.5);
  const verdict =
    holds === null
      ? ''
      : holds
        ? ' That is at most half.'
        : ' That is more than half of at least one of them.';
  return {
    name: 'site-readability',
    holds,
    text: `From LMC, the ${batchColumn} of a tile is read with ${percent(own.mean)} accuracy among those never trained on (chance ${percent(siteChance)})${
      compared.length === 0 ? '' : `: ${compared.map(({ text }) => text).join(', ')}`
    }.${verdict}`,
  };
}

const knn = ({ summary }: BenchmarkRowResult): number => summary['knn-unseen']?.mean ?? Number.NaN;

/** What is left of it where no neighbour may be of the tile's own slide. Stated, not judged. */
function otherSlides({ rows, siteChance, batchColumn }: Findings): BenchmarkClaim | undefined {
  const of = (row: BenchmarkRowResult | undefined): number | undefined =>
    row?.summary['knn-unseen-other-slides']?.mean;
  const own = of(find(rows, 'lmc'));
  if (own === undefined || siteChance === null) return undefined;
  const rivals = rows
    .filter(({ row }) => row === 'none' || CLASSICAL.includes(row))
    .flatMap((row) => {
      const value = of(row);
      return value === undefined ? [] : [`${row.title} ${percent(value)}`];
    });
  return {
    name: 'site-readability-other-slides',
    holds: null,
    text: `From neighbours of other slides alone, the ${batchColumn} of a tile is read from LMC with ${percent(own)} accuracy (chance ${percent(siteChance)})${
      rivals.length === 0 ? '' : `; ${rivals.join(', ')}`
    }.`,
  };
}

function silhouette({ rows, batchColumn }: Findings): BenchmarkClaim | undefined {
  const own = find(rows, 'lmc')?.summary['silhouette-cosine'];
  if (own === undefined) return undefined;
  const holds = own.values.every((value) => Math.abs(value) <= MIXED);
  return {
    name: 'silhouette',
    holds,
    text: `LMC's silhouette by ${batchColumn} (cosine) is ${signed(own.mean)}: ${
      holds
        ? `within ${MIXED.toFixed(2)} of zero with every seed`
        : `beyond ${MIXED.toFixed(2)} from zero with at least one seed`
    }.`,
  };
}

function transfer({
  rows,
  comparisons,
  probeChance,
  batchColumn,
  labelColumn,
}: Findings): BenchmarkClaim | undefined {
  const own = find(rows, 'lmc')?.summary['probe-unseen'];
  if (own === undefined) return undefined;
  const against = comparisons.filter(
    ({ row, metric }) => metric === 'probe-unseen' && !isAblation(row) && !REFERENCES.includes(row),
  );
  const title = (row: BenchmarkRow): string => find(rows, row)?.title ?? row;
  const list = (chosen: readonly BenchmarkComparison[]): string =>
    chosen.map(({ row, difference }) => `${title(row)} (${points(difference.mean)})`).join(', ');
  const ahead = against.filter(({ difference }) => difference.mean > 0);
  const behind = against.filter(({ difference }) => difference.mean <= 0);
  const steady = ahead.filter(({ everySeed }) => everySeed === 1);
  const parted = against.filter(({ intervalsPart, difference }) => intervalsPart && difference.mean > 0);
  const clauses = [
    ahead.length > 0 && `ahead of ${list(ahead)}`,
    behind.length > 0 && `not ahead of ${list(behind)}`,
  ].filter((clause) => clause !== false);
  const seeds = own.values.length;
  const remarks: string[] = [];
  if (ahead.length > 0 && seeds > 1) {
    remarks.push(
      steady.length === ahead.length
        ? ` Where it is ahead, it is so with every one of ${seeds} seeds.`
        : ` With every one of ${seeds} seeds it is ahead of ${steady.length === 0 ? 'none of them' : names(steady.map(({ row }) => title(row)))}.`,
    );
  }
  if (against.some(({ intervalsPart }) => intervalsPart !== null)) {
    remarks.push(
      parted.length === 0
        ? ' The 95 % intervals part from none of them.'
        : ` The 95 % intervals part from ${names(parted.map(({ row }) => title(row)))}.`,
    );
  }
  return {
    name: 'transfer',
    holds: against.length === 0 ? null : behind.length === 0,
    text: `A probe for ${labelColumn ?? 'the label'} that was trained on the source reaches ${percent(own.mean)} balanced accuracy on each ${batchColumn} that it never saw (mean${
      probeChance === null ? '' : `, chance ${percent(probeChance)}`
    })${clauses.length === 0 ? '' : `: ${clauses.join('; ')}, in points`}.${remarks.join('')}`,
  };
}

function ablations({ rows, comparisons }: Findings): BenchmarkClaim | undefined {
  const without = rows.filter(({ row, done }) => isAblation(row) && done > 0);
  if (without.length === 0 || find(rows, 'lmc')?.done === 0) return undefined;
  const told = without.map(({ row, title }) => {
    const of = (metric: string) =>
      comparisons.find((comparison) => comparison.row === row && comparison.metric === metric);
    const probe = of('probe-unseen');
    const site = of('knn-unseen');
    const parts = [
      probe && `probe ${points(-probe.difference.mean)}`,
      site && `site accuracy ${points(site.difference.mean)}`,
    ].filter((part) => part !== undefined);
    // A part whose removal steadily helps one of them does not earn its place by the other.
    const steady = [probe, site].map((comparison) => comparison?.everySeed);
    const costs = steady.includes(1) && !steady.includes(-1);
    return { costs, text: `${title}: ${parts.join(', ')}${costs ? '' : ' (no steady cost)'}` };
  });
  const judged = without.every(({ summary }) =>
    Object.values(summary).some(({ values }) => values.length > 1),
  );
  return {
    name: 'ablations',
    holds: judged ? told.every(({ costs }) => costs) : null,
    text: `What changes, in points, when a part is taken away (a lower probe or a higher site accuracy is a cost): ${told.map(({ text }) => text).join('; ')}.`,
  };
}

function complete({ rows, seeds }: Findings): BenchmarkClaim {
  const failed = rows.filter((row) => row.failed > 0).map(({ title }) => title);
  const partial = rows.filter((row) => row.failed === 0 && row.done < seeds);
  const text = [
    failed.length > 0 && `Failed: ${names(failed)}.`,
    partial.length > 0 &&
      `Not all seeds are done: ${partial.map(({ title, done }) => `${title} (${done} of ${seeds})`).join(', ')}.`,
  ].filter((sentence) => sentence !== false);
  return {
    name: 'complete',
    holds: text.length === 0,
    text:
      text.length === 0 ? `Every row is done with ${seeds} seed${seeds === 1 ? '' : 's'}.` : text.join(' '),
  };
}

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
/** A difference of two shares. */
const points = (value: number): string => signed(100 * value, 1);

export function signed(value: number, decimals = 3): string {
  const text = Math.abs(value).toFixed(decimals);
  if (Number(text) === 0) return text;
  return `${value > 0 ? '+' : '−'}${text}`;
}

function names(list: readonly string[]): string {
  if (list.length < 2) return list.join('');
  return `${list.slice(0, -1).join(', ')} and ${list.at(-1)}`;
}
