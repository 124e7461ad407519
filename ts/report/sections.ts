import type { Evaluation } from '../types.js';
import { type Curve, curveChart, scatterChart } from './charts.js';
import type { ReportData, ReportImage, ReportTile } from './data.js';
import { type Html, html } from './html.js';
import { colours } from './palette.js';
import { BETTER_SIGNS, bestRow, type EvaluationTable, formatCell } from './table.js';

/** The table of all metrics, one row for each representation. */
export function metricsSection(table: EvaluationTable): Html {
  const groups: { title: string; span: number }[] = [];
  for (const { group } of table.columns) {
    const last = groups.at(-1);
    if (last?.title === group) last.span++;
    else groups.push({ title: group, span: 1 });
  }
  const best = table.columns.map((_, i) => bestRow(table, i));
  return html`<section><h2>What came out</h2>
<p>Each row describes the same tiles in another way. An arrow says which direction is better; the best of a column is set in colour.</p>
<div class="scroll" tabindex="0"><table>
<caption>${table.seeds > 1 ? `Mean ± standard deviation over ${table.seeds} seeds.` : 'One seed.'}</caption>
<thead>
<tr><th class="group"></th>${groups.map(({ title, span }) => html`<th class="group" colspan="${span}" scope="colgroup">${title}</th>`)}</tr>
<tr><th scope="col">representation</th>${table.columns.map(
    (column) =>
      html`<th scope="col" title="${column.about}">${column.title}${column.better && ` ${BETTER_SIGNS[column.better]}`}${column.note && html`<small>${column.note}</small>`}</th>`,
  )}</tr>
</thead>
<tbody>${table.rows.map(
    (row, r) => html`
<tr><th scope="row">${row.name}</th>${row.cells.map((cell, c) => {
      const [value, spread] = formatCell(cell, table.columns[c]?.decimals ?? 3).split(' ');
      return html`<td${best[c] === r ? html` class="best"` : null}>${value}${spread && html` <span class="spread">${spread}</span>`}</td>`;
    })}</tr>`,
  )}
</tbody></table></div></section>`;
}

/** What the probe reaches on each batch by itself. */
export function batchesSection(evaluation: Evaluation): Html | null {
  const rows = evaluation.rows.flatMap(({ name, probe }) => (probe ? [{ name, probe }] : []));
  const first = rows[0];
  if (first === undefined) return null;
  const names = Object.keys(first.probe.unseen);
  const cell = (score: { balancedAccuracy: number; auroc: number } | undefined) =>
    html`<td>${score ? `${score.balancedAccuracy.toFixed(3)} / ${score.auroc.toFixed(3)}` : '–'}</td>`;
  return html`<section><h2>Batch by batch</h2>
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
