import { type BenchmarkResults, type BenchmarkTable, benchmarkTables } from '../index.js';
import type { Colours } from './terminal.js';

/** The benchmark's tables as aligned text; a table that is too wide for the terminal loses its last columns, and says so. */
export function benchmarkText(results: BenchmarkResults, colours: Colours, width: number): string {
  return benchmarkTables(results)
    .map((table) => tableText(table, colours, width))
    .join('\n\n');
}

function tableText({ caption, columns, rows }: BenchmarkTable, colours: Colours, width: number): string {
  const heads = columns.map(({ title }) => wrap(title));
  const lines = Math.max(...heads.map((head) => head.length));
  const texts = rows.map(({ cells }) =>
    cells.map(({ text, note }) => (note === '' ? text : `${text} ${note.split(' [')[0]}`.trimEnd())),
  );
  const first = Math.max(...rows.map(({ title }) => title.length));
  const widths = heads.map((head, c) =>
    Math.max(...head.map((line) => line.length), ...texts.map((cells) => cells[c]?.length ?? 0)),
  );
  let used = first;
  const shown = widths.filter((wide) => {
    used += 2 + wide;
    return used <= width;
  }).length;
  const line = (name: string, cells: readonly string[]): string =>
    `${name.padEnd(first)}${cells
      .slice(0, shown)
      .map((cell, c) => `  ${cell.padStart(widths[c] ?? 0)}`)
      .join('')}`.trimEnd();
  const header = Array.from({ length: lines }, (_, l) =>
    colours.dim(
      line(
        '',
        heads.map((head) => head[l - (lines - head.length)] ?? ''),
      ),
    ),
  );
  const body = rows.map(({ title, mark }, r) => {
    const text = line(title, texts[r] ?? []);
    return mark ? colours.bold(text) : text;
  });
  const left = columns.length - shown;
  const more = left > 0 ? [colours.dim(`${left} more column${left === 1 ? '' : 's'} in table.md`)] : [];
  return [colours.dim(caption), ...header, ...body, ...more].join('\n');
}

/** `k-NN site accuracy, unseen sites ↓` on two lines. */
function wrap(title: string): string[] {
  return title.split(/(?<=,) /);
}
