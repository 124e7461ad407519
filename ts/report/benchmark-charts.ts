import type { BenchmarkRow, BenchmarkRowResult, BenchmarkSummary } from '../types.js';
import type { BenchmarkMetric } from './benchmark-metrics.js';
import { AXIS, draw, FONT, INK } from './charts.js';
import type { Html } from './html.js';

/** Kinds of rows, as the pictures colour them (Okabe and Ito's palette). */
export const KINDS = [
  { name: 'LMC', colour: '#D55E00' },
  { name: 'LMC without a part', colour: '#E69F00' },
  { name: 'translation by a network †', colour: '#CC79A7' },
  { name: 'augmentation', colour: '#009E73' },
  { name: 'classical normaliser', colour: '#56B4E9' },
  { name: 'autoencoder', colour: '#0072B2' },
  { name: 'reference, not trained', colour: '#8A8A8A' },
] as const;

export type Kind = (typeof KINDS)[number];

const KIND_OF: Partial<Record<BenchmarkRow, number>> = {
  lmc: 0,
  cyclegan: 2,
  staingan: 2,
  'hed-jitter': 3,
  randstainna: 3,
  none: 5,
  colour: 6,
  untrained: 6,
};

export function kindOf(row: BenchmarkRow): Kind {
  return KINDS[KIND_OF[row] ?? (row.startsWith('lmc-') ? 1 : 4)] as Kind;
}

const at = (scale: string, field: string) => ({ scale, field });

/** One metric of all rows: a bar from chance (or zero) to the mean, a line for the interval, a dot for each seed. */
export function metricChart(
  rows: readonly BenchmarkRowResult[],
  metric: Pick<BenchmarkMetric, 'key' | 'title'>,
  chance: number | null,
): Promise<Html> {
  const shown = rows.flatMap(({ row, title, summary }) => {
    const of = summary[metric.key];
    return of === undefined ? [] : [{ title, colour: kindOf(row).colour, strong: row === 'lmc', of }];
  });
  const base = chance ?? 0;
  const bars = shown.map(({ title, colour, strong, of }) => ({
    title,
    colour,
    base,
    mean: of.mean,
    opacity: strong ? 0.95 : 0.6,
  }));
  const lines = shown.flatMap(({ title, of }) => {
    const range = rangeOf(of);
    return range === undefined ? [] : [{ title, low: range[0], high: range[1] }];
  });
  const dots = shown.flatMap(({ title, of }) => of.values.map((value) => ({ title, value })));
  const extent = [
    base,
    ...dots.map(({ value }) => value),
    ...lines.flatMap(({ low, high }) => [low, high]),
    ...bars.map(({ mean }) => mean),
  ];
  const room = (Math.max(...extent) - Math.min(...extent)) * 0.04 || 0.05;
  const height = 18 * shown.length;
  return draw(
    {
      width: 300,
      height,
      padding: { left: 132, right: 12, top: 6, bottom: 24 },
      autosize: 'none',
      config: { aria: false } as NonNullable<Parameters<typeof draw>[0]['config']>,
      data: [
        { name: 'bars', values: bars },
        { name: 'lines', values: lines },
        { name: 'dots', values: dots },
      ],
      scales: [
        {
          name: 'y',
          type: 'band',
          range: [0, height],
          domain: shown.map(({ title }) => title),
          padding: 0.28,
        },
        {
          name: 'x',
          type: 'linear',
          range: 'width',
          zero: false,
          domain: [Math.min(...extent) - room, Math.max(...extent) + room],
        },
      ],
      axes: [
        { ...AXIS, orient: 'bottom', scale: 'x', grid: true, tickCount: 5 },
        {
          ...AXIS,
          orient: 'left',
          scale: 'y',
          ticks: false,
          domain: false,
          labelPadding: 6,
          labelLimit: 0,
        },
      ],
      marks: [
        {
          type: 'rect',
          from: { data: 'bars' },
          encode: {
            enter: {
              y: at('y', 'title'),
              height: { scale: 'y', band: 1 },
              x: at('x', 'base'),
              x2: at('x', 'mean'),
              fill: { field: 'colour' },
              fillOpacity: { field: 'opacity' },
            },
          },
        },
        {
          type: 'rule',
          encode: {
            enter: {
              x: { scale: 'x', value: base },
              y: { value: 0 },
              y2: { value: height },
              stroke: { value: INK },
              strokeOpacity: { value: 0.6 },
              ...(chance !== null && { strokeDash: { value: [4, 3] } }),
            },
          },
        },
        {
          type: 'rule',
          from: { data: 'lines' },
          encode: {
            enter: {
              x: at('x', 'low'),
              x2: at('x', 'high'),
              y: { scale: 'y', field: 'title', band: 0.5 },
              stroke: { value: INK },
              strokeOpacity: { value: 0.75 },
              strokeWidth: { value: 1.2 },
            },
          },
        },
        {
          type: 'symbol',
          from: { data: 'dots' },
          encode: {
            enter: {
              x: at('x', 'value'),
              y: { scale: 'y', field: 'title', band: 0.5 },
              size: { value: 14 },
              fill: { value: INK },
              fillOpacity: { value: 0.85 },
            },
          },
        },
      ],
    },
    `${metric.title} of ${shown.map(({ title, of }) => `${title} ${of.mean.toFixed(3)}`).join(', ')}.`,
  );
}

/** The bootstrap interval, or the range of the seeds. */
function rangeOf({ interval, values }: BenchmarkSummary): [number, number] | undefined {
  if (interval) return interval;
  return values.length > 1 ? [Math.min(...values), Math.max(...values)] : undefined;
}

/** Both aims in one picture: across, how plainly the site can be read; up, how well the label is read at sites never seen. */
export function tradeChart(
  rows: readonly BenchmarkRowResult[],
  chances: { site: number | null; probe: number | null },
): Promise<Html> {
  const points = rows.flatMap(({ row, title, summary }) => {
    const x = summary['knn-unseen'];
    const y = summary['probe-unseen'];
    if (x === undefined || y === undefined) return [];
    return [{ title, x: x.mean, y: y.mean, colour: kindOf(row).colour, size: row === 'lmc' ? 190 : 90 }];
  });
  const reach = (values: number[]): [number, number] => {
    const low = Math.min(...values);
    const high = Math.max(...values);
    const room = (high - low) * 0.08 || 0.05;
    return [low - room, high + room];
  };
  const width = 640;
  const height = 340;
  const present = (value: number | null): number[] => (value === null ? [] : [value]);
  const domains = {
    x: reach([...points.map(({ x }) => x), ...present(chances.site)]),
    y: reach([...points.map(({ y }) => y), ...present(chances.probe)]),
  };
  const chance = (scale: 'x' | 'y', value: number | null) =>
    value === null
      ? []
      : [
          {
            type: 'rule' as const,
            encode: {
              enter: {
                [scale]: { scale, value },
                [scale === 'x' ? 'y' : 'x']: { value: 0 },
                [scale === 'x' ? 'y2' : 'x2']: { value: scale === 'x' ? height : width },
                stroke: { value: INK },
                strokeOpacity: { value: 0.5 },
                strokeDash: { value: [4, 3] },
              },
            },
          },
        ];
  return draw(
    {
      width,
      height,
      padding: { left: 52, right: 120, top: 10, bottom: 40 },
      autosize: 'none',
      config: { aria: false } as NonNullable<Parameters<typeof draw>[0]['config']>,
      data: [{ name: 'points', values: placeLabels(points, domains, { width, height }) }],
      scales: [
        {
          name: 'x',
          type: 'linear',
          range: 'width',
          zero: false,
          domain: domains.x,
        },
        {
          name: 'y',
          type: 'linear',
          range: 'height',
          zero: false,
          domain: domains.y,
        },
      ],
      axes: [
        {
          ...AXIS,
          orient: 'bottom',
          scale: 'x',
          grid: true,
          tickCount: 6,
          format: '.0%',
          title: 'site read from the neighbours, unseen sites (left is better)',
        },
        {
          ...AXIS,
          orient: 'left',
          scale: 'y',
          grid: true,
          tickCount: 5,
          format: '.0%',
          title: 'probe on unseen sites (up is better)',
        },
      ],
      marks: [
        ...chance('x', chances.site),
        ...chance('y', chances.probe),
        {
          type: 'symbol',
          from: { data: 'points' },
          encode: {
            enter: {
              x: at('x', 'x'),
              y: at('y', 'y'),
              size: { field: 'size' },
              fill: { field: 'colour' },
              fillOpacity: { value: 0.9 },
            },
          },
        },
        {
          type: 'text',
          from: { data: 'points' },
          encode: {
            enter: {
              x: { scale: 'x', field: 'x', offset: 9 },
              y: { scale: 'y', field: 'y', offset: { field: 'shift' } },
              text: { field: 'title' },
              baseline: { value: 'middle' },
              font: { value: FONT },
              fontSize: { value: 11 },
              fill: { value: INK },
            },
          },
        },
      ],
    },
    `Site accuracy and probe accuracy on unseen sites of ${points.map(({ title, x, y }) => `${title} ${x.toFixed(3)} and ${y.toFixed(3)}`).join(', ')}.`,
  );
}

interface Placed {
  title: string;
  x: number;
  y: number;
  colour: string;
  size: number;
}

/** Names that would lie on one another are moved apart, upwards or downwards. */
function placeLabels(
  points: readonly Placed[],
  domains: { x: [number, number]; y: [number, number] },
  { width, height }: { width: number; height: number },
): (Placed & { shift: number })[] {
  const [left, right] = domains.x;
  const [low, high] = domains.y;
  const LINE = 12;
  const place = ({ x, y }: Placed): { x: number; y: number } => ({
    x: ((x - left) / (right - left)) * width,
    y: height - ((y - low) / (high - low)) * height,
  });
  // Dots are in the way, too.
  const placed = points.map(place).map(({ x, y }) => ({ left: x - 6, right: x + 6, y }));
  // The largest dot's name lies beside it; the others give way.
  const sorted = [...points].sort((a, b) => b.size - a.size || b.y - a.y);
  return sorted.map((point) => {
    const { x, y } = place(point);
    const box = { left: x + 9, right: x + 9 + 6 * point.title.length };
    const free = (at: number): boolean =>
      placed.every(
        (other) => Math.abs(other.y - at) >= LINE || other.right < box.left || other.left > box.right,
      );
    const tries = Array.from(
      { length: 25 },
      (_, i) => (i % 2 === 0 ? 1 : -1) * Math.ceil(i / 2) * (LINE / 2),
    );
    const shift = tries.find((candidate) => free(y + candidate)) ?? 0;
    placed.push({ ...box, y: y + shift });
    return { ...point, shift };
  });
}
