import type { Evaluation } from '../types.js';
import { type Curve, curveChart, scatterChart } from './charts.js';
import type { ReportData, ReportImage, ReportTile } from './data.js';
import { type Html, html } from './html.js';
import { intervalChart } from './interval-chart.js';
import { colours } from './palette.js';
import {
  BETTER_SIGNS,
  bestRow,
  type EvaluationTable,
  formatCell,
  type MetricCell,
  type MetricColumn,
} from './table.js';

const BLOCKS = [
  { block: 'invariance', title: 'Invariance: what should not be readable' },
  { block: 'transfer', title: 'Transfer: what should be' },
] as const;

/** The metrics in two tables, one row for each representation. */
export function metricsSection(table: EvaluationTable): Html {
  const blocks = BLOCKS.map(({ block, title }) => ({
    title,
    kept: [...table.columns.keys()].filter((c) => table.columns[c]?.block === block),
  })).filter(({ kept }) => kept.length > 0);
  return html`<section><h2>What came out</h2>
<p>Each row describes the same tiles in another way. An arrow says which direction is better; the best of a column is set in colour.${
    table.seeds > 1
      ? ` Mean ± standard deviation over ${table.seeds} seeds.`
      : ' Below a value, where there is one: its 95 % interval.'
  }</p>
${blocks.map(({ title, kept }) => blockTable(table, title, kept))}</section>`;
}

function blockTable(table: EvaluationTable, title: string, kept: readonly number[]): Html {
  const columns = kept.map((c) => table.columns[c] as MetricColumn);
  const groups: { title: string; span: number }[] = [];
  for (const { group } of columns) {
    const last = groups.at(-1);
    if (last?.title === group) last.span++;
    else groups.push({ title: group, span: 1 });
  }
  const best = kept.map((c) => bestRow(table, c));
  return html`<div class="scroll" tabindex="0"><table>
<caption>${title}</caption>
<thead>
<tr><th class="group"></th>${groups.map((group) => html`<th class="group" colspan="${group.span}" scope="colgroup">${group.title}</th>`)}</tr>
<tr><th scope="col">representation</th>${columns.map(
    (column) =>
      html`<th scope="col" title="${column.about}">${column.title}${column.better && ` ${BETTER_SIGNS[column.better]}`}${column.note && html`<small>${column.note}</small>`}</th>`,
  )}</tr>
</thead>
<tbody>${table.rows.map(
    (row, r) => html`
<tr><th scope="row">${row.name}</th>${kept.map((c, at) => {
      const cell = row.cells[c] ?? null;
      const [value, spread = intervalOf(cell)] = formatCell(cell, columns[at]?.decimals ?? 3).split(' ');
      return html`<td${best[at] === r ? html` class="best"` : null}>${value}${spread && html` <span class="spread">${spread}</span>`}</td>`;
    })}</tr>`,
  )}
</tbody></table></div>`;
}

function intervalOf(cell: MetricCell | null): string {
  return cell?.interval?.every(Number.isFinite) ? cell.interval.map((end) => end.toFixed(2)).join('–') : '';
}

/** What the probe reaches on each batch by itself. */
export async function batchesSection(evaluation: Evaluation): Promise<Html | null> {
  const rows = evaluation.rows.flatMap(({ name, probe }) => (probe ? [{ name, probe }] : []));
  const first = rows[0];
  if (first === undefined) return null;
  const names = Object.keys(first.probe.unseen);
  const cell = (score: { balancedAccuracy: number; auroc: number } | undefined) =>
    html`<td>${score ? `${score.balancedAccuracy.toFixed(3)} / ${score.auroc.toFixed(3)}` : '–'}</td>`;
  const { source, unseen } = first.probe;
  const palette = colours(rows.map(({ name }) => name));
  const resampled = evaluation.bootstrap.unit === 'tile' ? 'tiles' : `whole ${evaluation.bootstrap.unit}s`;
  const chart = await intervalChart({
    scores: rows.flatMap(({ name, probe }) =>
      [
        { band: `${source} (source)`, score: probe.withinSource },
        ...Object.keys(unseen).map((batch) => ({ band: batch, score: probe.unseen[batch] })),
        { band: 'mean of unseen', score: probe.unseenMean },
      ].flatMap(({ band, score }) =>
        score
          ? [
              {
                band,
                name,
                value: score.balancedAccuracy,
                interval: score.intervals?.balancedAccuracy ?? null,
              },
            ]
          : [],
      ),
    ),
    palette,
    chance: 1 / Object.keys(evaluation.labels).filter(Boolean).length,
    title: 'balanced accuracy',
    alt: `Balanced accuracy of the probe with 95 % intervals for each ${evaluation.batchColumn}: ${rows.map(({ name }) => name).join(', ')}.`,
  });
  return html`<section><h2>Batch by batch</h2>
<ul class="legend">${[...palette].map(([name, colour]) => html`<li><span class="dot" style="background:${colour}"></span>${name}</li>`)}</ul>
<figure class="card wide">${chart}</figure>
<p class="note">Whiskers: 95 % interval over ${evaluation.bootstrap.resamples} resamples of ${resampled}${evaluation.bootstrap.unit === 'tile' && ', too narrow where tiles share a slide'}. Dashed: guessing.</p>
<p>Balanced accuracy / AUROC of a linear probe for <code>${evaluation.labelColumn}</code> that was trained on ${evaluation.batchColumn} <b>${first.probe.source}</b> only.</p>
<div class="scroll" tabindex="0"><table>
<thead><tr><th scope="col">representation</th><th scope="col">${evaluation.batchColumn} ${first.probe.source}<small>source, held out</small></th>${names.map(
    (name) =>
      html`<th scope="col">${evaluation.batchColumn} ${name}<small>${first.probe.unseen[name]?.tiles} tiles</small></th>`,
  )}</tr></thead>
<tbody>${rows.map(
    ({ name, probe }) => html`
<tr><th scope="row">${name}</th>${cell(probe.withinSource)}${names.map((batch) => cell(probe.unseen[batch]))}</tr>`,
  )}
</tbody></table></div></section>`;
}

/** The same tiles on their first two principal components, once coloured by batch and once by label. */
export async function scatterSection(evaluation: Evaluation): Promise<Html | null> {
  const entries = Object.entries(evaluation.scatter);
  if (entries.length === 0) return null;
  const { batchColumn, labelColumn } = evaluation;
  const panels = async (
    column: string,
    counts: Record<string, number>,
    groups: (string | null)[],
    hope: string,
  ) => {
    const names = Object.keys(counts).filter(Boolean);
    const palette = colours(names);
    const charts = await Promise.all(
      entries.map(async ([name, points]) => {
        const alt = `Scatter of ${groups.length} tiles on two principal components of ${name}, coloured by ${column}: ${names.join(', ')}.`;
        return html`<figure class="card"><h3>${name}</h3>${await scatterChart({ points, groups, names, alt })}</figure>`;
      }),
    );
    return html`<ul class="legend"><li><strong>${column}</strong></li>${names.map(
      (name) =>
        html`<li><span class="dot" style="background:${palette.get(name)}"></span>${name} <span class="note">${counts[name]}</span></li>`,
    )}</ul>
<div class="grid three">${charts}</div>
<p class="note">${hope}</p>`;
  };
  const byBatch = await panels(
    batchColumn,
    evaluation.batches,
    evaluation.tiles.map((tile) => tile.batch),
    `By ${batchColumn}: colours should lie mixed. Islands of one colour are what a staining does.`,
  );
  const byLabel =
    labelColumn === null
      ? null
      : await panels(
          labelColumn,
          evaluation.labels,
          evaluation.tiles.map((tile) => tile.label),
          `By ${labelColumn}: here islands are welcome. Two components show only part of what an embedding holds.`,
        );
  return html`<section><h2>The embedding, before and after</h2>
<p>Every dot is a tile, placed by its first two principal components${evaluation.tiles.length > 600 && ' (600 tiles, evenly drawn)'}.</p>
${byBatch}${byLabel}</section>`;
}

/** Samples of every batch, each above what the decoder draws from its embedding. */
export function tilesSection(
  tiles: readonly ReportTile[],
  evaluation: Evaluation,
  source?: string,
): Html | null {
  if (tiles.length === 0) return null;
  const batches = [...new Set(tiles.map((tile) => tile.batch))];
  const reconstructed = tiles.some((tile) => tile.reconstruction);
  return html`<section><h2>Tiles${reconstructed && ' and their reconstructions'}</h2>
<p>${
    reconstructed
      ? 'Above, a tile as it was scanned; below, the same tissue as the decoder draws it from the embedding alone. What differs from row to row above and no longer does below is the staining that the embedding left out.'
      : 'Samples of every batch, as they were scanned.'
  }</p>
${batches.map(
  (
    batch,
  ) => html`<div class="batch"><h3>${evaluation.batchColumn} ${batch}<small>${batch === source ? 'trained on' : 'never trained on'}</small></h3>
<div class="strip">${tiles
    .filter((tile) => tile.batch === batch)
    .map(
      (tile) => html`<figure class="pair">
${picture(tile.original, `Tile ${tile.file} of ${evaluation.batchColumn} ${batch}${tile.label === null ? '' : `, ${evaluation.labelColumn} ${tile.label}`}.`)}
${tile.reconstruction && picture(tile.reconstruction, `Reconstruction of tile ${tile.file} from its embedding.`)}
<figcaption>${tile.label ?? tile.file}</figcaption></figure>`,
    )}</div></div>
`,
)}</section>`;
}

function picture(image: ReportImage, alt: string): Html {
  const base64 = Buffer.from(image.data.buffer, image.data.byteOffset, image.data.byteLength).toString(
    'base64',
  );
  return html`<img alt="${alt}" src="data:${image.mime};base64,${base64}">`;
}

const CURVES: readonly Curve[] = [
  { title: 'Loss', alt: 'Total loss over the steps of training.', read: (step) => step.loss },
  {
    title: 'Compaction ratio',
    alt: 'Share of the variance of the embedding that lies between renderings of one tile, over the steps of training.',
    read: (step) => step.scatter,
  },
  {
    title: 'Reconstruction error',
    alt: 'Reconstruction loss over the steps of training.',
    read: (step) => step.reconstruction,
  },
  {
    title: 'Lab discriminator',
    alt: 'Accuracy of the lab discriminator over the steps of training, and what guessing reaches (dashed).',
    read: (step) => step.discriminatorAccuracy,
    reference: (step) => step.discriminatorChance,
  },
];

/** How the training went. */
export async function trainingSection(data: ReportData): Promise<Html | null> {
  const steps = data.training ?? [];
  if (steps.length < 2) return null;
  const charts = await Promise.all(
    CURVES.map(
      async (curve) =>
        html`<figure class="card"><h3>${curve.title}</h3>${await curveChart(steps, curve)}</figure>`,
    ),
  );
  return html`<section><h2>Training</h2>
<div class="grid four">${charts}</div>
<p class="note">The compaction ratio is the share of the embedding's variance that lies between renderings of one tile: towards 0, the renderings fall together. The discriminator tries to read the virtual lab; dashed is what guessing reaches.</p></section>`;
}
