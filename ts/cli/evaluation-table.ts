import {
  BETTER_SIGNS,
  bestRow,
  type Evaluation,
  type EvaluationTable,
  formatCell,
  type MetricColumn,
  tabulate,
} from '../index.js';
import type { Colours } from './terminal.js';

interface Cell {
  text: string;
  best?: boolean;
  dim?: boolean;
}

const BLOCKS = [
  { block: 'invariance', title: 'Invariance', intervals: false },
  { block: 'transfer', title: 'Transfer', intervals: true },
] as const;
type Block = (typeof BLOCKS)[number];

/**
 * The table of an evaluation (or of one for each seed) as aligned text, in two blocks: one row for each representation, or, where
 * `width` does not hold that, one row for each metric. An interval stands under the value it belongs to.
 */
export function formatEvaluation(
  evaluations: Evaluation | readonly Evaluation[],
  colours: Colours,
  width: number,
): string {
  const table = tabulate(evaluations);
  const blocks = BLOCKS.flatMap((block) => {
    const kept = [...table.columns.keys()].filter((c) => table.columns[c]?.block === block.block);
    return kept.length === 0 ? [] : [align(byRepresentation(table, kept, block), colours)];
  });
  if (blocks.some((block) => block.width > width)) return align(byMetric(table), colours).text;
  return blocks.map(({ text }) => text).join('\n\n');
}

function byRepresentation(
  table: EvaluationTable,
  kept: readonly number[],
  { title, intervals }: Block,
): Cell[][] {
  const heads = kept.map((c) => table.columns[c] as MetricColumn);
  const groups = heads.map(({ group }, i) => ({
    text: heads[i - 1]?.group === group ? '' : group,
    dim: true,
  }));
  const rows: Cell[][] = [
    [{ text: title }, ...groups],
    [{ text: '' }, ...heads.map((head) => ({ text: titled(head) }))],
    // What guessing or perfect mixing gives: the words would widen the columns.
    [
      { text: 'chance or range', dim: true },
      ...heads.map(({ note }) => ({ text: note.replace(/^(chance|mixed) /, ''), dim: true })),
    ],
  ];
  table.rows.forEach(({ name, cells }, r) => {
    rows.push([
      { text: name },
      ...kept.map((c, at) => ({
        text: formatCell(cells[c] ?? null, heads[at]?.decimals ?? 3),
        best: bestRow(table, c) === r,
      })),
    ]);
    if (!intervals || kept.every((c) => !cells[c]?.interval)) return;
    rows.push([{ text: '' }, ...kept.map((c) => ({ text: formatInterval(cells[c]?.interval), dim: true }))]);
  });
  return rows;
}

/** `.48–.58`: shares need no leading zero, and width is short. */
function formatInterval(interval: readonly [number, number] | null | undefined): string {
  if (!interval?.every(Number.isFinite)) return '';
  return interval.map((end) => end.toFixed(2).replace(/^(-?)0\./, '$1.')).join('–');
}

function byMetric(table: EvaluationTable): Cell[][] {
  const rows: Cell[][] = [
    [{ text: '' }, ...table.rows.map(({ name }) => ({ text: name.replace(/ (encoder|statistics)$/, '') }))],
  ];
  table.columns.forEach((head, c) => {
    const title = [head.group, titled(head)].filter(Boolean).join(', ') + (head.note && ` (${head.note})`);
    rows.push([
      { text: title },
      ...table.rows.map(({ cells }, r) => ({
        text: formatCell(cells[c] ?? null, head.decimals),
        best: bestRow(table, c) === r,
      })),
    ]);
  });
  return rows;
}

function titled({ title, better }: Pick<MetricColumn, 'title' | 'better'>): string {
  return better === null ? title : `${title} ${BETTER_SIGNS[better]}`;
}

/**
 * The first column to the left, the others to the right. In the first row an empty cell gives its place to the text before it: a
 * group's heading reaches over its columns.
 */
function align(rows: readonly Cell[][], colours: Colours): { text: string; width: number } {
  const [first = [], ...others] = rows;
  const widths = first.map(({ text }, c) => {
    const alone = c === 0 || first[c + 1]?.text !== '';
    return Math.max(alone ? text.length : 0, ...others.map((row) => row[c]?.text.length ?? 0));
  });
  const paint = (cell: Cell, text: string) =>
    cell.best ? colours.bold(colours.cyan(text)) : cell.dim ? colours.dim(text) : text;
  const spread = (row: readonly Cell[]): string[] => {
    const parts: string[] = [];
    for (let c = 0; c < row.length; c++) {
      const cell = row[c] as Cell;
      let width = widths[c] ?? 0;
      while (row === first && c > 0 && row[c + 1]?.text === '') width += 2 + (widths[++c] ?? 0);
      parts.push(paint(cell, c === 0 ? cell.text.padEnd(width) : cell.text.padStart(width)));
    }
    return parts;
  };
  const lines = rows.map((row) => spread(row).join('  ').trimEnd());
  return { text: lines.join('\n'), width: widths.reduce((sum, width) => sum + width + 2, -2) };
}
