// The ratios as a picture: a row for each case, a mark for each rival, at 1 a line.
import * as vega from 'vega';

/** SVG text; undefined where no rival was timed. */
export async function chart({ sections }) {
  const values = Object.entries(sections).flatMap(([section, { rows }]) =>
    rows.flatMap((row) =>
      (row.rivals ?? [])
        .filter(({ ratio, contestant }) => ratio !== undefined && !/alone/.test(contestant))
        .map(({ contestant, ratio: { median, low, high } }) => ({
          case: `${section}: ${row.name}`,
          rival: contestant,
          median,
          low,
          high,
        })),
    ),
  );
  if (values.length === 0) return undefined;
  const view = new vega.View(vega.parse(specOf(values)), { renderer: 'none' });
  return view.toSVG();
}

// Okabe and Ito's palette, told apart by colour-blind readers.
const COLOURS = ['#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#F0E442', '#8A8A8A'];
const LINE = 22;
const TICKS = [0.5, 1, 2, 3, 5, 10, 20, 50, 100];

function specOf(values) {
  const height = LINE * new Set(values.map((value) => value.case)).size;
  const position = { scale: 'cases', field: 'case', band: 0.5 };
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    background: 'white',
    padding: 8,
    width: 520,
    height,
    data: [{ name: 'ratios', values }],
    scales: [
      {
        name: 'ratio',
        type: 'log',
        domain: { data: 'ratios', fields: ['low', 'high'] },
        domainMin: 0.5,
        range: 'width',
      },
      { name: 'cases', type: 'band', domain: { data: 'ratios', field: 'case' }, range: [0, height] },
      { name: 'colours', type: 'ordinal', domain: { data: 'ratios', field: 'rival' }, range: COLOURS },
    ],
    axes: [
      {
        scale: 'ratio',
        orient: 'bottom',
        title: 'times as fast as the rival (fastest to slowest round)',
        grid: true,
        format: '~r',
        values: TICKS.filter((tick) => values.some(({ high }) => tick <= high)),
      },
      { scale: 'cases', orient: 'left', domain: false, ticks: false, labelLimit: 0 },
    ],
    legends: [{ fill: 'colours', orient: 'bottom', columns: 3, symbolType: 'circle', labelLimit: 0 }],
    marks: [
      {
        type: 'rule',
        encode: {
          enter: {
            x: { scale: 'ratio', value: 1 },
            y: { value: 0 },
            y2: { value: height },
            stroke: { value: '#333' },
            strokeWidth: { value: 1.5 },
          },
        },
      },
      {
        type: 'rule',
        from: { data: 'ratios' },
        encode: {
          enter: {
            x: { scale: 'ratio', field: 'low' },
            x2: { scale: 'ratio', field: 'high' },
            y: position,
            stroke: { scale: 'colours', field: 'rival' },
            strokeWidth: { value: 1.5 },
          },
        },
      },
      {
        type: 'symbol',
        from: { data: 'ratios' },
        encode: {
          enter: {
            x: { scale: 'ratio', field: 'median' },
            y: position,
            fill: { scale: 'colours', field: 'rival' },
            size: { value: 60 },
          },
        },
      },
    ],
  };
}
