/** Scores with their 95 % intervals as whiskers: a band for each batch, a dot for each representation. */
import type { Spec } from 'vega';
import type { Interval } from '../types.js';
import { AXIS, draw, INK } from './charts.js';
import type { Html } from './html.js';

export interface IntervalScore {
  band: string;
  /** One of `names`. */
  name: string;
  value: number;
  interval: Interval | null;
}

export interface IntervalChartOptions {
  scores: readonly IntervalScore[];
  /** Colour of each representation, in the order in which they stand within a band. */
  palette: ReadonlyMap<string, string>;
  /** What guessing reaches: a dashed line. */
  chance: number;
  title: string;
  alt: string;
}

const LINE_HEIGHT = 15;

export function intervalChart({ scores, palette, chance, title, alt }: IntervalChartOptions): Promise<Html> {
  const bands = [...new Set(scores.map(({ band }) => band))];
  const names = [...palette.keys()];
  const values = scores
    .filter(({ value }) => Number.isFinite(value))
    .map(({ band, name, value, interval }) => {
      const [low, high] = interval?.every(Number.isFinite) ? interval : [value, value];
      return { band, place: names.indexOf(name), value, low, high, colour: palette.get(name) ?? '#8A8A8A' };
    });
  const ends = [chance, ...values.flatMap(({ low, high }) => [low, high])];
  const least = Math.min(...ends);
  const step = names.length * LINE_HEIGHT + 12;
  const y = { scale: 'band', field: 'band' };
  // A representation's line within its band.
  const inBand = { ...y, offset: { signal: `datum.place * ${LINE_HEIGHT} + ${LINE_HEIGHT / 2 + 6}` } };
  const spec: Spec = {
    width: 860,
    height: bands.length * step,
    padding: { left: 150, right: 12, top: 6, bottom: 38 },
    autosize: 'none',
    config: { aria: false } as NonNullable<Spec['config']>,
    data: [
      { name: 'scores', values },
      { name: 'bands', values: bands.map((band) => ({ band })) },
    ],
    scales: [
      {
        name: 'x',
        type: 'linear',
        range: 'width',
        domain: [Math.max(0, Math.floor(least * 10 - 0.2) / 10), 1],
        zero: false,
      },
      { name: 'band', type: 'band', range: 'height', domain: bands },
    ],
    axes: [
      { ...AXIS, orient: 'bottom', scale: 'x', title, grid: true, tickCount: 8 },
      { ...AXIS, orient: 'left', scale: 'band', ticks: false, domain: false, labelLimit: 140 },
    ],
    marks: [
      {
        type: 'rule',
        encode: {
          enter: {
            x: { scale: 'x', value: chance },
            y: { value: 0 },
            y2: { signal: 'height' },
            stroke: { value: INK },
            strokeOpacity: { value: 0.5 },
            strokeDash: { value: [4, 4] },
          },
        },
      },
      {
        type: 'rule',
        from: { data: 'bands' },
        encode: {
          enter: {
            x: { value: 0 },
            x2: { signal: 'width' },
            y,
            stroke: { value: INK },
            strokeOpacity: { value: 0.15 },
          },
        },
      },
      {
        type: 'rule',
        from: { data: 'scores' },
        encode: {
          enter: {
            x: { scale: 'x', field: 'low' },
            x2: { scale: 'x', field: 'high' },
            y: inBand,
            stroke: { field: 'colour' },
            strokeWidth: { value: 2 },
          },
        },
      },
      ...(['low', 'high'] as const).map((end) => ({
        type: 'symbol' as const,
        from: { data: 'scores' },
        encode: {
          enter: {
            x: { scale: 'x', field: end },
            y: inBand,
            shape: { value: 'stroke' },
            angle: { value: 90 },
            size: { value: 50 },
            stroke: { field: 'colour' },
            strokeWidth: { value: 2 },
          },
        },
      })),
      {
        type: 'symbol',
        from: { data: 'scores' },
        encode: {
          enter: {
            x: { scale: 'x', field: 'value' },
            y: inBand,
            size: { value: 60 },
            fill: { field: 'colour' },
          },
        },
      },
    ],
  };
  return draw(spec, alt);
}
