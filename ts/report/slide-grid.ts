/** Where tiles lie on a picture of their slide: a tile's step is a whole number of pixels, so that nothing is resampled or blurred. */

/** Pixels of a picture's longer side, about. */
const LONGEST = 1000;
const MOST_STEP = 48;

export interface SlideGrid {
  /** Pixels of the picture from one tile to the next. */
  step: number;
  /** Columns and rows that cover the slide. */
  columns: number;
  rows: number;
  /** Of the picture, pixels. */
  width: number;
  height: number;
  /** Picture pixels per level-0 pixel. */
  scale: number;
  /** Picture pixels from a tile's corner to its cell: half of what neighbours share. */
  inset: number;
  /** Of each tile: its column and row, [count,2]. */
  cells: Int32Array;
}

export interface GridSource {
  /** Of the slide, level 0. */
  width: number;
  height: number;
  /** Level-0 pixels: x, y of each tile's corner, [count,2]. */
  coords: Int32Array;
  /** Side of a tile, and from one to the next. */
  sizeLevel0: number;
  stepLevel0: number;
}

export function layGrid({ width, height, coords, sizeLevel0, stepLevel0 }: GridSource): SlideGrid {
  const across = Math.max(width, height) / stepLevel0;
  const step = Math.max(1, Math.min(MOST_STEP, Math.floor(LONGEST / across)));
  const scale = step / stepLevel0;
  return {
    step,
    columns: Math.max(1, Math.ceil(width / stepLevel0)),
    rows: Math.max(1, Math.ceil(height / stepLevel0)),
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
    scale,
    inset: Math.round(((sizeLevel0 - stepLevel0) / 2) * scale),
    cells: coords.map((corner) => Math.round(corner / stepLevel0)),
  };
}

/** The tile whose cell holds a pixel of the picture; -1: none. */
export function tileAt({ step, inset, cells }: SlideGrid, x: number, y: number): number {
  const column = Math.floor((x - inset) / step);
  const row = Math.floor((y - inset) / step);
  for (let i = 0; i < cells.length; i += 2) if (cells[i] === column && cells[i + 1] === row) return i / 2;
  return -1;
}

/** A pixel for each cell, RGBA, clear where there is no tile: [rows,columns,4]. `alpha`: of a tile, 0 to 255. */
export function cellColours(
  { columns, rows, cells }: SlideGrid,
  colour: (tile: number) => readonly [number, number, number] | undefined,
  alpha = 255,
): Uint8Array {
  const data = new Uint8Array(columns * rows * 4);
  for (let tile = 0; tile < cells.length / 2; tile++) {
    const [column, row] = [cells[2 * tile] as number, cells[2 * tile + 1] as number];
    const rgb = colour(tile);
    if (rgb && column < columns && row < rows) data.set([...rgb, alpha], (row * columns + column) * 4);
  }
  return data;
}

/** An SVG path around the tiles wanted. */
export function outline({ step, inset, cells }: SlideGrid, wanted: (tile: number) => boolean): string {
  const parts: string[] = [];
  for (let tile = 0; tile < cells.length / 2; tile++) {
    if (!wanted(tile)) continue;
    const x = (cells[2 * tile] as number) * step + inset;
    const y = (cells[2 * tile + 1] as number) * step + inset;
    parts.push(`M${x + 0.5} ${y + 0.5}h${step - 1}v${step - 1}h${1 - step}z`);
  }
  return parts.join('');
}
