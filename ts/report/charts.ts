import type { Spec } from 'vega';
import type { TrainProgress } from '../types.js';
import { escapeHtml, type Html, raw } from './html.js';
import { colours } from './palette.js';

// Vega takes a quarter of a second to load: only a report pays for it.
let vega: Promise<typeof import('vega')> | undefined;

/** A static SVG that takes its column's width. */
export async function draw(spec: Spec, alt: string): Promise<Html> {
  vega ??= import('vega');
  const { View, parse } = await vega;
  const svg = await new View(parse(spec), { renderer: 'none' }).toSVG();
  // Inside HTML the namespaces are implied, and without fixed sizes the picture follows its column.
  const open = /^<svg[^>]*viewBox="([^"]+)"[^>]*>/.exec(svg);
  const box = open?.[1] ?? `0 0 ${spec.width} ${spec.height}`;
  return raw(
    `<svg role="img" aria-label="${escapeHtml(alt)}" viewBox="${box}">${svg.slice(open?.[0].length ?? 0)}`,
  );
}

/** Ink that follows the page's own text colour, in light and dark. */
export const INK = 'currentColor';
export const FONT = 'system-ui, sans-serif';
export const AXIS = {
  domainColor: INK,
  domainOpacity: 0.35,
  tickColor: INK,
  tickOpacity: 0.35,
  gridColor: INK,
  gridOpacity: 0.1,
  labelColor: INK,
  labelOpacity: 0.75,
  labelFont: FONT,
  labelFontSize: 11,
  titleFont: FONT,
  titleFontSize: 11,
  titleFontWeight: 'normal',
  titleColor: INK,
  titleOpacity: 0.75,
} as const;

/** More points than this hide each other and make the page heavy. */
const MAX_POINTS = 600;

export interface ScatterOptions {
  /** [x0, y0, x1, y1, ...] */
  points: Float64Array;
  /** The group of each point; null is drawn in grey. */
  groups: readonly (string | null)[];
  /** In the order of the legend, which gives the colours. */
  names: readonly string[];
  alt: string;
}

/** Dots on the first two principal components. */
export function scatterChart({ points, groups, names, alt }: ScatterOptions): Promise<Html> {
  const palette = colours(names);
  const values = spread(groups.length, MAX_POINTS).map((i) => ({
    x: points[2 * i] ?? 0,
    y: points[2 * i + 1] ?? 0,
    c: palette.get(groups[i] ?? '') ?? '#8A8A8A',
  }));
  const axis = { ...AXIS, ticks: false, labels: false, grid: false };
  return draw(
    {
      width: 280,
      height: 280,
      padding: { left: 20, right: 4, top: 4, bottom: 20 },
      autosize: 'none',
      config: { aria: false } as NonNullable<Spec['config']>,
      data: [{ name: 'points', values }],
      scales: [
        { name: 'x', type: 'linear', range: 'width', domain: { data: 'points', field: 'x' }, zero: false },
        { name: 'y', type: 'linear', range: 'height', domain: { data: 'points', field: 'y' }, zero: false },
      ],
      axes: [
        { ...axis, orient: 'bottom', scale: 'x', title: 'PC 1' },
        { ...axis, orient: 'left', scale: 'y', title: 'PC 2' },
      ],
      marks: [
        {
          type: 'symbol',
          from: { data: 'points' },
          encode: {
            enter: {
              x: { scale: 'x', field: 'x' },
              y: { scale: 'y', field: 'y' },
              size: { value: 22 },
              fill: { field: 'c' },
              fillOpacity: { value: 0.85 },
            },
          },
        },
      ],
    },
    alt,
  );
}

/**
 * At most `limit` indices of 0..count-1, one from each of as many equal stretches, in a fixed shuffled order. Not every n-th: where
 * labels take turns, that would meet only some of them. Shuffled, or the batch drawn last would cover the others and look more
 * apart than it is.
 */
export function spread(count: number, limit: number): number[] {
  const kept = Math.min(count, limit);
  let state = 0x9e3779b9;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const start = (i: number): number => Math.floor((i * count) / kept);
  const chosen = Array.from({ length: kept }, (_, i) => start(i) + below(start(i + 1) - start(i)));
  for (let i = kept - 1; i > 0; i--) {
    const j = below(i + 1);
    [chosen[i], chosen[j]] = [chosen[j] ?? 0, chosen[i] ?? 0];
  }
  return chosen;
}

export interface Curve {
  title: string;
  alt: string;
  read: (step: TrainProgress) => number;
  /** A dashed line to compare with. */
  reference?: (step: TrainProgress) => number;
}

const MAX_STEPS = 240;

/** A quantity over the steps of training, averaged over equal stretches where there are many. */
export function curveChart(steps: readonly TrainProgress[], { read, reference, alt }: Curve): Promise<Html> {
  const line = stretches(steps, read);
  const dashed = reference ? stretches(steps, reference) : [];
  const mark = (data: string, dash: number[], colour: string, width: number) => ({
    type: 'line' as const,
    from: { data },
    encode: {
      enter: {
        x: { scale: 'x', field: 'x' },
        y: { scale: 'y', field: 'y' },
        stroke: { value: colour },
        strokeWidth: { value: width },
        strokeDash: { value: dash },
      },
    },
  });
  return draw(
    {
      width: 190,
      height: 130,
      padding: { left: 30, right: 6, top: 8, bottom: 34 },
      autosize: 'none',
      config: { aria: false } as NonNullable<Spec['config']>,
      data: [
        { name: 'line', values: line },
        { name: 'dashed', values: dashed },
      ],
      scales: [
        { name: 'x', type: 'linear', range: 'width', domain: { data: 'line', field: 'x' }, zero: false },
        {
          name: 'y',
          type: 'linear',
          range: 'height',
          nice: true,
          zero: true,
          domain: {
            fields: [
              { data: 'line', field: 'y' },
              { data: 'dashed', field: 'y' },
            ],
          },
        },
      ],
      axes: [
        { ...AXIS, orient: 'bottom', scale: 'x', title: 'step', tickCount: 4, format: '~s' },
        { ...AXIS, orient: 'left', scale: 'y', grid: true, tickCount: 4 },
      ],
      marks: [mark('dashed', [4, 4], '#8A8A8A', 1.5), mark('line', [1, 0], '#0072B2', 2)],
    },
    alt,
  );
}

function stretches(
  steps: readonly TrainProgress[],
  read: (step: TrainProgress) => number,
): { x: number; y: number }[] {
  const points = steps
    .map((step) => ({ x: step.step, y: read(step) }))
    .filter((point) => Number.isFinite(point.y));
  const size = Math.max(1, Math.ceil(points.length / MAX_STEPS));
  const out: { x: number; y: number }[] = [];
  for (let start = 0; start < points.length; start += size) {
    const group = points.slice(start, start + size);
    out.push({
      x: group.reduce((sum, point) => sum + point.x, 0) / group.length,
      y: group.reduce((sum, point) => sum + point.y, 0) / group.length,
    });
  }
  return out;
}
