/** The benchmark's tables: as cells for the page and the terminal, and as Markdown. */
import type { BenchmarkResults, BenchmarkSummary } from '../types.js';
import { signed } from './benchmark-conclude.js';
import { BENCHMARK_METRICS, type BenchmarkMetric } from './benchmark-metrics.js';
import { BETTER_SIGNS } from './table.js';

export interface BenchmarkTable {
  caption: string;
  /** `note` is what guessing reaches. */
  columns: { title: string; note: string; about: string }[];
  rows: { title: string; mark: boolean; cells: BenchmarkCell[] }[];
}

export interface BenchmarkCell {
  /** Empty where there is nothing. */
  text: string;
  /** Deviation over the seeds, or interval. */
  note: string;
  best: boolean;
}

const EMPTY: BenchmarkCell = { text: '–', note: '', best: false };
/** Behind the name of a row that saw images of the target sites. */
export const TARGET_MARK = '†';

export function benchmarkTables(results: BenchmarkResults): BenchmarkTable[] {
  const present = BENCHMARK_METRICS.filter(({ key }) => results.rows.some(({ summary }) => summary[key]));
  const ofTable = (table: BenchmarkMetric['table']) => present.filter((metric) => metric.table === table);
  const { batchColumn, labelColumn, source } = results.config;
  const tables: BenchmarkTable[] = [
    withMetrics(results, ofTable('sites'), `What gives the ${batchColumn} away.`, true),
  ];
  const probe = ofTable('probe');
  if (probe.length > 0) {
    const caption = `What a linear probe for ${labelColumn} reaches that was trained on ${batchColumn} ${source} alone.`;
    tables.push(withMetrics(results, probe, caption, false));
  }
  const paired = pairedTable(results);
  return paired === undefined ? tables : [...tables, paired];
}

function withMetrics(
  results: BenchmarkResults,
  metrics: readonly BenchmarkMetric[],
  caption: string,
  withRatio: boolean,
): BenchmarkTable {
  const chances = new Map(results.metrics.map(({ key, chance }) => [key, chance]));
  const ratioAfter = withRatio && results.rows.some(({ aboveChanceRatio }) => aboveChanceRatio !== null);
  const columns = metrics.flatMap(({ key, title, better, about }, i) => {
    const chance = chances.get(key) ?? null;
    const column = {
      title: `${title} ${BETTER_SIGNS[better]}`,
      note: chance === null ? '' : `chance ${chance.toFixed(3)}`,
      about,
    };
    const ratio = {
      title: 'times above chance ↓',
      note: 'autoencoder = 1',
      about: "How far above chance the unseen sites are read, as a multiple of the autoencoder's.",
    };
    return i === 0 && ratioAfter ? [column, ratio] : [column];
  });
  const best = metrics.map(({ key, better }) => bestOf(results, key, better));
  const rows = results.rows.map(({ row, title, needsTargetImages, summary, aboveChanceRatio }) => ({
    title: needsTargetImages ? `${title} ${TARGET_MARK}` : title,
    mark: row === 'lmc',
    cells: metrics.flatMap(({ key }, i) => {
      const cell = cellOf(summary[key], best[i] === row);
      const ratio =
        aboveChanceRatio === null ? EMPTY : { text: aboveChanceRatio.toFixed(2), note: '', best: false };
      return i === 0 && ratioAfter ? [cell, ratio] : [cell];
    }),
  }));
  return { caption, columns, rows };
}

function cellOf(summary: BenchmarkSummary | undefined, best: boolean): BenchmarkCell {
  if (summary === undefined) return EMPTY;
  const { mean, deviation, interval } = summary;
  const notes = [
    deviation !== null && `±${deviation.toFixed(3)}`,
    interval && `[${interval[0].toFixed(3)}, ${interval[1].toFixed(3)}]`,
  ].filter(Boolean);
  return { text: signless(mean.toFixed(3)), note: notes.join(' '), best };
}

/** -0.000 reads as a misprint. */
const signless = (text: string): string => text.replace(/^-(0\.?0*)$/, '$1');

/** The row with the best mean; undefined for a tie, or where there is nothing to be better than. */
function bestOf(
  { rows }: BenchmarkResults,
  key: string,
  better: BenchmarkMetric['better'],
): string | undefined {
  const goodness = (mean: number): number =>
    better === 'higher' ? mean : better === 'lower' ? -mean : -Math.abs(mean);
  const read = rows.flatMap(({ row, summary }) => {
    const mean = summary[key]?.mean;
    return mean === undefined ? [] : [{ row, value: goodness(mean) }];
  });
  const top = Math.max(...read.map(({ value }) => value));
  const winners = read.filter(({ value }) => value === top);
  return read.length > 1 && winners.length === 1 ? winners[0]?.row : undefined;
}

const PAIRED = ['knn-unseen', 'silhouette-cosine', 'probe-unseen', 'probe-unseen-auroc', 'probe-unseen-f1'];

function pairedTable(results: BenchmarkResults): BenchmarkTable | undefined {
  const { comparisons } = results;
  const keys = PAIRED.filter((key) => comparisons.some(({ metric }) => metric === key));
  const rows = results.rows.filter(({ row }) => comparisons.some((comparison) => comparison.row === row));
  if (rows.length === 0) return undefined;
  const metrics = keys.flatMap((key) => BENCHMARK_METRICS.find((metric) => metric.key === key) ?? []);
  return {
    caption:
      'LMC against each row, seed by seed: above zero LMC is better, whatever the metric. * the sign is the same with every seed; ** and the 95 % intervals part.',
    columns: metrics.map(({ title, about }) => ({ title, note: '', about })),
    rows: rows.map(({ row, title, needsTargetImages }) => ({
      title: needsTargetImages ? `${title} ${TARGET_MARK}` : title,
      mark: false,
      cells: keys.map((key) => {
        const found = comparisons.find((one) => one.row === row && one.metric === key);
        if (found === undefined) return EMPTY;
        const { difference, everySeed, intervalsPart } = found;
        const stars = everySeed === 0 ? '' : intervalsPart ? ' **' : ' *';
        const spread = difference.deviation === null ? '' : `±${difference.deviation.toFixed(3)}`;
        return { text: `${signed(difference.mean)}${stars}`, note: spread, best: false };
      }),
    })),
  };
}

/** The whole result as Markdown. */
export function benchmarkMarkdown(results: BenchmarkResults): string {
  const { config, sites, tileSize, machine, versions, seconds, runs } = results;
  const counts = Object.entries(sites).map(([name, tiles]) => `${name} ${tiles}`);
  const seeds = config.seeds ?? [];
  const target = results.rows.some(({ needsTargetImages }) => needsTargetImages);
  const failed = runs.filter(({ status }) => status === 'failed');
  const lines = [
    `# Trained on ${config.batchColumn} ${config.source}, measured on every ${config.batchColumn}`,
    '',
    `${tileSize} px tiles by ${config.batchColumn}: ${counts.join(', ')}. Seeds ${seeds.join(', ')}: mean ± standard deviation over them${
      config.labelColumn === undefined
        ? ''
        : `; in brackets the 95 % bootstrap interval${config.groupColumn === undefined ? '' : ` over ${config.groupColumn}s`}, mean over the seeds`
    }.`,
    '',
    ...results.claims.map(({ text }) => `- ${text}`),
    '',
    ...benchmarkTables(results).flatMap((table) => [...markdownTable(table), '']),
    ...(target ? [`${TARGET_MARK} needs images of the target sites, which no other row saw.`, ''] : []),
    ...alteredNotes(results).map((note) => `- ${note}`),
    ...failed.map(({ row, seed, error }) => `- \`${row}\`, seed ${seed}, failed: ${error?.message ?? ''}`),
    '',
    `${(seconds / 3600).toFixed(2)} hours of ${machine.cpu} (${machine.cores} cores), ${machine.device}, ${machine.precision}; ${versionsText(versions)}. Data digest ${results.dataDigest.slice(0, 16)}.`,
    '',
  ];
  return lines.join('\n');
}

/** `Macenko: 2500 tiles ok, 29 weak-stain` */
export function alteredNotes({ rows, runs }: BenchmarkResults): string[] {
  return rows.flatMap(({ row, title }) => {
    const statuses = runs.find((run) => run.row === row && run.statuses)?.statuses;
    if (statuses === undefined) return [];
    const counts = Object.entries(statuses).map(([status, tiles]) => `${tiles} ${status}`);
    return [`${title}: tiles ${counts.join(', ')}`];
  });
}

function markdownTable({ caption, columns, rows }: BenchmarkTable): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map(pipeSafe).join(' | ')} |`;
  const bold = (text: string, on: boolean): string => (on ? `**${text}**` : text);
  return [
    caption,
    '',
    line(['', ...columns.map(({ title, note }) => (note === '' ? title : `${title} (${note})`))]),
    `|---|${columns.map(() => '---|').join('')}`,
    ...rows.map(({ title, mark, cells }) =>
      line([
        bold(title, mark),
        ...cells.map(({ text, note, best }) => [bold(text, best), note].filter(Boolean).join(' ')),
      ]),
    ),
  ];
}

const pipeSafe = (text: string): string => text.replaceAll('|', '\\|');

export function versionsText({ stainfold, libtorch, node }: BenchmarkResults['versions']): string {
  return `stainfold ${stainfold}, LibTorch ${libtorch}, Node ${node}`;
}
