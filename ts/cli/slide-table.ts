/** What became of each slide, as aligned text. */
import type { SlideOutcome } from '../index.js';
import { formatDuration } from './format.js';
import type { Colours } from './terminal.js';

const HEADS = ['slide', 'tiles', 'rejected', 'time', 'tiles/s', 'waited for', ''] as const;
/** Columns of text; the others are numbers. */
const LEFT = new Set([0, 2, 5, 6]);

export function slideTable(outcomes: readonly SlideOutcome[], colours: Colours): string {
  const rows = outcomes.map(cellsOf);
  const widths = HEADS.map((head, c) => Math.max(head.length, ...rows.map((cells) => cells[c]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, c) => (LEFT.has(c) ? cell.padEnd(widths[c] ?? 0) : cell.padStart(widths[c] ?? 0)))
      .join('  ')
      .trimEnd();
  const body = rows.map((cells, i) => {
    const state = outcomes[i]?.state;
    const text = line(cells);
    return state === 'failed' ? colours.red(text) : state === 'written' ? text : colours.dim(text);
  });
  return [colours.dim(line(HEADS)), ...body].join('\n');
}

function cellsOf(outcome: SlideOutcome): string[] {
  const { slide, state, tiles, rejected, resumed, seconds, tilesPerSecond, bottleneck, error } = outcome;
  if (state === 'failed')
    return [slide, '', '', formatDuration(seconds), '', '', `failed: ${error?.code ?? ''}`];
  if (state === 'busy') return [slide, '', '', '', '', '', 'another process works on it'];
  const why = Object.entries(rejected).map(([status, n]) => `${n} ${status}`);
  const shown = [slide, String(tiles), why.join(', ')];
  if (state === 'present') return [...shown, '', '', '', 'was there already'];
  const speed = tilesPerSecond === 0 ? '' : tilesPerSecond.toFixed(1);
  const note = resumed > 0 ? `resumed at tile ${resumed}` : '';
  return [...shown, formatDuration(seconds), speed, bottleneck ?? '', note];
}
