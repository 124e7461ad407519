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

/**
 * The table of an evaluation (or of one for each seed) as aligned text: one row for each representation, or, where `width`
 * does not hold that, one row for each metric.
 */
export function formatEvaluation(
  evaluations: Evaluation | readonly Evaluation[],
  colours: Colours,
  width: number,
): string {
  const table = tabulate(evaluations);
  const wide = align(byRepresentation(table), colours);
  return wide.width <= width ? wide.text : align(byMetric(table), colours).text;
}

function byRepresentation(table: EvaluationTable): Cell[][] {
  const heads = table.columns;
  const groups = heads.map(({ group }, i) => ({
    text: heads[i - 1]?.group === group ? '' : group,
    dim: true,
  }));
  const rows: Cell[][] = [
    [{ text: '' }, ...groups],
    [{ text: '' }, ...heads.map((head) => ({ text: titled(head) }))],
    [{ text: '' }, ...heads.map(({ note }) => ({ text: note, dim: true }))],
  ];
  table.rows.forEach(({ name, cells }, r) => {
    rows.push([
      { text: name },
      ...cells.map((cell, c) => ({
        text: formatCell(cell, heads[c]?.decimals ?? 3),
        best: bestRow(table, c) === r,
      })),
    ]);
  });
  return rows;
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

/** The first column to the left, the others to the right. */
function align(rows: readonly Cell[][], colours: Colours): { text: string; width: number } {
  const widths = (rows[0] ?? []).map((_, c) => Math.max(...rows.map((row) => row[c]?.text.length ?? 0)));
  const paint = (cell: Cell, text: string) =>
    cell.best ? colours.bold(colours.cyan(text)) : cell.dim ? colours.dim(text) : text;
  const lines = rows.map((row) =>
    row
      .map((cell, c) => {
        const width = widths[c] ?? 0;
        return paint(cell, c === 0 ? cell.text.padEnd(width) : cell.text.padStart(width));
      })
      .join('  ')
      .trimEnd(),
  );
  return { text: lines.join('\n'), width: widths.reduce((sum, width) => sum + width + 2, -2) };
}
