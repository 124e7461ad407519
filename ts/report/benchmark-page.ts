import type { BenchmarkClaim, BenchmarkResults, BenchmarkRow } from '../types.js';
import { KINDS, kindOf, metricChart, tradeChart } from './benchmark-charts.js';
import { BENCHMARK_METRICS } from './benchmark-metrics.js';
import {
  alteredNotes,
  type BenchmarkTable,
  benchmarkTables,
  TARGET_MARK,
  versionsText,
} from './benchmark-table.js';
import { scatterChart } from './charts.js';
import type { ReportImage } from './data.js';
import { type Html, html, raw } from './html.js';
import { colours } from './palette.js';
import { STYLE } from './style.js';

/** The same tiles as each row's encoder sees them. */
export interface BenchmarkSamples {
  tiles: { site: string; label: string | null }[];
  /** An image for each tile. */
  rows: { title: string; note: string; images: ReportImage[] }[];
}

export interface BenchmarkReport {
  results: BenchmarkResults;
  scatter: ReadonlyMap<BenchmarkRow, { points: number[]; sites: string[]; labels: (string | null)[] }>;
  samples: BenchmarkSamples;
}

const BENCHMARK_STYLE = `
.claims { margin: 0; padding: 8px 0; list-style: none; background: var(--wash); border-left: 4px solid var(--accent); border-radius: 0 8px 8px 0; }
.claims li { display: grid; grid-template-columns: 22px minmax(0, 1fr); gap: 8px; padding: 6px 20px; }
.claims .yes { color: #009e73; font-weight: 700; } .claims .no { color: #d55e00; font-weight: 700; } .claims .open { color: var(--soft); }
.two { grid-template-columns: repeat(2, minmax(0, 1fr)); }
table { font-size: 13px; }
th, td { padding: 7px 7px; }
thead th { white-space: normal; min-width: 58px; }
tbody th { white-space: nowrap; }
tr.own > * { background: var(--wash); }
tr.own > th { font-weight: 700; }
td.best { white-space: nowrap; }
.matrix { display: grid; gap: 4px 6px; align-items: center; min-width: 760px; margin-top: 12px; }
.matrix img { display: block; width: 100%; border-radius: 4px; }
.matrix .head { font-size: 12px; color: var(--soft); text-align: left; padding-bottom: 2px; }
.matrix .name { font-size: 13px; line-height: 1.25; }
.matrix .name small { display: block; color: var(--soft); }
.time { display: grid; grid-template-columns: 170px minmax(0, 1fr) 90px; gap: 6px 12px; align-items: center; font-size: 14px; margin-top: 12px; }
.time i { display: block; height: 12px; border-radius: 3px; }
.time span:last-child { text-align: right; font-variant-numeric: tabular-nums; }
.six { grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 12px; }
.six .card { padding: 10px 10px 4px; } .six h3 { font-size: 13px; }
@media (max-width: 860px) { .two { grid-template-columns: minmax(0, 1fr); } .six { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
`;

/** The benchmark as one HTML document that needs nothing else: no network, no scripts. */
export async function renderBenchmarkReport({ results, scatter, samples }: BenchmarkReport): Promise<string> {
  const { config, sites, created } = results;
  const tiles = Object.values(sites).reduce((sum, count) => sum + count, 0);
  const title = `Trained on ${config.batchColumn} ${config.source}, measured on every ${config.batchColumn}`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="stainfold">
<title>${title}</title>
<style>${raw(STYLE + BENCHMARK_STYLE)}</style>
</head>
<body><main>
<header>
<p class="kicker">stainfold benchmark · ${created.slice(0, 10)} · ${tiles.toLocaleString('en-US')} tiles · ${Object.keys(sites).length} ${config.batchColumn}s · ${results.rows.length} rows · seeds ${(config.seeds ?? []).join(', ')}</p>
<h1>${title}</h1>
<ul class="claims">${results.claims.map(claimItem)}</ul>
</header>
${await overview(results)}
${tables(results)}
${await scatters(results, scatter)}
${pictures(samples, results)}
${times(results)}
${failures(results)}
${facts(results)}
${reading(results)}
<footer>Made by stainfold. Every number and every sentence was computed from the tiles; nothing on this page is loaded from elsewhere.</footer>
</main></body>
</html>
`;
  return page.markup;
}

function claimItem({ holds, text }: BenchmarkClaim): Html {
  const [mark, style, word] =
    holds === null ? ['–', 'open', 'open'] : holds ? ['✓', 'yes', 'holds'] : ['✗', 'no', 'does not hold'];
  return html`<li><span class="${style}" role="img" aria-label="${word}">${mark}</span><span>${text}</span></li>`;
}

async function overview(results: BenchmarkResults): Promise<Html> {
  const chances = new Map(results.metrics.map(({ key, chance }) => [key, chance]));
  const chanceOf = (key: string): number | null => chances.get(key) ?? null;
  const both = results.rows.filter(({ summary }) => summary['knn-unseen'] && summary['probe-unseen']);
  const drawn = BENCHMARK_METRICS.filter(({ key, drawn: wanted }) => wanted && chances.has(key));
  const charts = await Promise.all(
    drawn.map(
      async (metric) =>
        html`<figure class="card"><h3>${metric.table === 'probe' && 'probe: '}${metric.title}</h3>${await metricChart(results.rows, metric, chanceOf(metric.key))}<figcaption>${betterWords(metric.better)}</figcaption></figure>`,
    ),
  );
  const kinds = KINDS.filter((kind) => results.rows.some(({ row }) => kindOf(row) === kind));
  const trade =
    both.length < 2
      ? null
      : html`<figure class="card">${await tradeChart(results.rows, { site: chanceOf('knn-unseen'), probe: chanceOf('probe-unseen') })}</figure>`;
  return html`<section><h2>What came out</h2>
<p>A good embedding hides where a tile comes from and still shows its tissue. ${trade && html`In the first picture it lies to the upper left. `}A bar begins at chance (dashed) or at zero; a line is the 95 % interval over ${results.config.groupColumn ?? 'tile'}s, or the range of the seeds where there is none; dots are seeds.</p>
<ul class="legend">${kinds.map(({ name, colour }) => html`<li><span class="dot" style="background:${colour}"></span>${name}</li>`)}</ul>
<div class="grid">${trade}</div>
<div class="grid two">${charts}</div></section>`;
}

function betterWords(better: 'higher' | 'lower' | 'nearer zero'): string {
  return better === 'nearer zero' ? 'nearer zero is better' : `${better} is better`;
}

function tables(results: BenchmarkResults): Html {
  const target = results.rows.some(({ needsTargetImages }) => needsTargetImages);
  return html`<section><h2>The tables</h2>
<p>Mean over the seeds; below it the standard deviation and, in brackets, the 95 % bootstrap interval.${target && ` ${TARGET_MARK} needs images of the target sites, which no other row saw.`}</p>
${benchmarkTables(results).map(tableOf)}</section>`;
}

function tableOf({ caption, columns, rows }: BenchmarkTable): Html {
  return html`<div class="scroll" tabindex="0"><table>
<caption>${caption}</caption>
<thead><tr><th scope="col">row</th>${columns.map(({ title, note, about }) => html`<th scope="col" title="${about}">${wrapped(title)}${note && html`<small>${note}</small>`}</th>`)}</tr></thead>
<tbody>${rows.map(
    ({ title, mark, cells }) => html`
<tr${mark && html` class="own"`}><th scope="row">${title}</th>${cells.map(
      ({ text, note, best }) =>
        html`<td${best && html` class="best"`}>${text}${(note === '' ? [] : note.split(' [')).map((part, i) => html`<span class="spread">${i === 0 ? part : `[${part}`}</span>`)}</td>`,
    )}</tr>`,
  )}
</tbody></table></div>
`;
}

/** A heading of two lines takes half the width. */
function wrapped(title: string): Html {
  const [first, ...rest] = title
    .replace(/ ([→↓↑]) ?/, '\u00a0$1\u00a0')
    .trimEnd()
    .split(', ');
  return rest.length === 0 ? html`${first}` : html`${first},<br>${rest.join(', ')}`;
}

async function scatters(
  results: BenchmarkResults,
  scatter: BenchmarkReport['scatter'],
): Promise<Html | null> {
  if (scatter.size === 0) return null;
  const { batchColumn, labelColumn } = results.config;
  const panels = async (
    column: string,
    counts: Record<string, number>,
    groupsOf: (of: { sites: string[]; labels: (string | null)[] }) => (string | null)[],
    hope: string,
  ): Promise<Html> => {
    const names = Object.keys(counts);
    const palette = colours(names);
    const shown = results.rows.flatMap(({ row, title }) => {
      const of = scatter.get(row);
      return of === undefined ? [] : [{ title, of }];
    });
    const charts = await Promise.all(
      shown.map(async ({ title, of }) => {
        const groups = groupsOf(of);
        const points = withinMost(of.points);
        const alt = `${groups.length} tiles on two principal components of ${title}, coloured by ${column}.`;
        return html`<figure class="card"><h3>${title}</h3>${await scatterChart({ points, groups, names, alt })}</figure>`;
      }),
    );
    return html`<ul class="legend"><li><strong>${column}</strong></li>${names.map(
      (name) =>
        html`<li><span class="dot" style="background:${palette.get(name)}"></span>${name} <span class="note">${counts[name]}</span></li>`,
    )}</ul>
<p class="note">${hope}</p>
<div class="grid six">${charts}</div>`;
  };
  const bySite = await panels(
    batchColumn,
    results.sites,
    ({ sites }) => sites,
    'Colours should lie mixed. Islands of one colour are what a staining does.',
  );
  const byLabel =
    labelColumn === undefined
      ? null
      : await panels(
          labelColumn,
          results.labels,
          ({ labels }) => labels,
          'Here islands are welcome. Two components show only part of what an embedding holds.',
        );
  return html`<section><h2>The embeddings</h2>
<p>The same tiles in every row, placed by their first two principal components (the first seed). The outermost hundredth to each side lies on the border.</p>
${bySite}${byLabel}</section>`;
}

/** A few far outliers would press all others into one spot. */
function withinMost(points: readonly number[]): Float64Array {
  const bounds = [0, 1].map((axis) => {
    const values = points.filter((_, i) => i % 2 === axis).sort((a, b) => a - b);
    const at = (share: number): number => values[Math.round(share * (values.length - 1))] ?? 0;
    return [at(0.01), at(0.99)] as const;
  });
  return Float64Array.from(points, (value, i) => {
    const [low, high] = bounds[i % 2] as readonly [number, number];
    return Math.min(high, Math.max(low, value));
  });
}

function pictures({ tiles, rows }: BenchmarkSamples, results: BenchmarkResults): Html | null {
  if (tiles.length === 0) return null;
  const { batchColumn } = results.config;
  const notes = alteredNotes(results);
  const picture = ({ mime, data }: ReportImage, alt: string): Html =>
    html`<img alt="${alt}" src="data:${mime};base64,${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')}">`;
  const heads = tiles.map(({ site }, i) =>
    tiles[i - 1]?.site === site
      ? html`<span></span>`
      : html`<span class="head">${batchColumn} ${site}</span>`,
  );
  return html`<section><h2>What each encoder sees</h2>
<p>The same tiles, as scanned and as the rows that alter tiles hand them to their encoder. The last line is what LMC's decoder draws from the embedding: what differs above and no longer does there is what the embedding left out.</p>
<div class="scroll" tabindex="0"><div class="matrix" style="grid-template-columns: 120px repeat(${tiles.length}, minmax(0, 1fr))">
<span></span>${heads}
${rows.map(
  ({ title, note, images }) =>
    html`<span class="name">${title}${note && html`<small>${note}</small>`}</span>${images.map((image, i) => picture(image, `${title}: tile of ${batchColumn} ${tiles[i]?.site}`))}
`,
)}</div></div>
${notes.length > 0 && html`<p class="note">${notes.join('. ')}. Tiles of little tissue or weak stain stay as they are.</p>`}</section>`;
}

function times({ rows }: BenchmarkResults): Html | null {
  const timed = rows.filter(({ seconds }) => seconds !== null);
  if (timed.length === 0) return null;
  const most = Math.max(...timed.map(({ seconds }) => seconds ?? 0));
  return html`<section><h2>Time</h2>
<p>Wall clock of one run: altering the tiles, training, embedding.</p>
<div class="time">${timed.map(
    ({ row, title, seconds }) =>
      html`<span>${title}</span><i style="width:${((100 * (seconds ?? 0)) / most).toFixed(1)}%;background:${kindOf(row).colour}"></i><span>${duration(seconds ?? 0)}</span>
`,
  )}</div></section>`;
}

export function duration(seconds: number): string {
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  const minutes = seconds / 60;
  return minutes < 100 ? `${minutes.toFixed(1)} min` : `${(minutes / 60).toFixed(1)} h`;
}

function failures({ runs }: BenchmarkResults): Html | null {
  const failed = runs.filter(({ status }) => status === 'failed');
  if (failed.length === 0) return null;
  return html`<section><h2>What failed</h2>
<ul class="notes">${failed.map(({ row, seed, error }) => html`<li><code>${row}</code>, seed ${seed}: ${error?.message}</li>`)}</ul></section>`;
}

function facts(results: BenchmarkResults): Html {
  const { config, machine, versions, sites, labels } = results;
  const counts = (of: Record<string, number>): string =>
    Object.entries(of)
      .map(([name, tiles]) => `${name} (${tiles})`)
      .join(', ');
  const entries: [string, string][] = [
    ['Tiles', `${config.batchColumn}: ${counts(sites)}; ${results.tileSize} px`],
    ...(config.labelColumn === undefined
      ? []
      : [['Labels', `${config.labelColumn}: ${counts(labels)}`] as [string, string]]),
    ['Data digest', results.dataDigest],
    [
      'Machine',
      `${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 1e9).toFixed(0)} GB; ${machine.device}, ${machine.precision}`,
    ],
    ['Versions', versionsText(versions)],
    ['Time', duration(results.seconds)],
  ];
  return html`<section><h2>What was run</h2>
<dl>${entries.map(([term, value]) => html`<dt>${term}</dt><dd>${value}</dd>`)}</dl>
<details><summary>The configuration</summary><dl>${Object.entries(config).map(
    ([name, value]) => html`<dt>${name}</dt><dd><code>${JSON.stringify(value)}</code></dd>`,
  )}</dl></details></section>`;
}

function reading({ metrics, config }: BenchmarkResults): Html {
  return html`<section><h2>How to read this</h2>
<ul class="notes">
${metrics.map(
  ({ title, about }) => html`<li><b>${title}</b>: ${about}</li>
`,
)}<li>Every encoder has the same network, tiles, epochs, batches and seeds, and is trained on ${config.batchColumn} ${config.source} alone. Columns are standardised by its tiles before anything is measured.</li>
<li>${config.batchColumn}s that hold different tissue stand apart for that reason too: no embedding that keeps tissue will then reach perfect mixing.</li>
</ul></section>`;
}
