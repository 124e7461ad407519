import type { Evaluation } from '../types.js';
import { conclude } from './conclude.js';
import type { ReportData } from './data.js';
import { type Html, html, raw } from './html.js';
import { batchesSection, metricsSection, scatterSection, tilesSection, trainingSection } from './sections.js';
import { STYLE } from './style.js';
import { tabulate } from './table.js';

/** The report as one HTML document that needs nothing else: no network, no scripts. */
export async function renderReport(data: ReportData): Promise<string> {
  const evaluations: readonly Evaluation[] = 'rows' in data.evaluation ? [data.evaluation] : data.evaluation;
  const evaluation = evaluations[0];
  if (evaluation === undefined) throw new RangeError('a report needs at least one evaluation');
  const title = data.title ?? `Stain invariance by ${evaluation.batchColumn}`;
  const created = data.created ?? new Date();
  const table = tabulate(evaluations);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="stainfold">
<title>${title}</title>
<style>${raw(STYLE)}</style>
</head>
<body><main>
<header>
<p class="kicker">stainfold · ${created.toISOString().slice(0, 10)} · ${evaluation.tiles.length} tiles · ${Object.keys(evaluation.batches).length} batches</p>
<h1>${title}</h1>
<p class="verdict">${conclude(evaluations).sentence}</p>
</header>
${metricsSection(table)}
${await scatterSection(evaluation)}
${tilesSection(data.tiles ?? [], evaluation, data.source)}
${await batchesSection(evaluation)}
${await trainingSection(data)}
${runSection(data, evaluation)}
${readingSection(table.columns, evaluation)}
${unreadableSection(evaluation)}
<footer>Made by stainfold. Every number was computed from the tiles named above; nothing on this page is loaded from elsewhere.</footer>
</main></body>
</html>
`;
  return page.markup;
}

function runSection(data: ReportData, evaluation: Evaluation): Html {
  const { model } = data;
  const facts: [string, Html | string | number][] = [];
  if (data.command) facts.push(['Command', html`<code>${data.command}</code>`]);
  facts.push([
    'Batches',
    `${evaluation.batchColumn}: ${Object.entries(evaluation.batches)
      .map(([name, tiles]) => `${name} (${tiles})`)
      .join(', ')}`,
  ]);
  if (model) {
    const { provenance } = model;
    const where = Object.entries(provenance.where).map(([column, value]) => `${column}=${value}`);
    facts.push(
      [
        'Model',
        `${model.size}, ${model.latent} dimensions, ${(model.parameters / 1e6).toFixed(2)} M parameters, ${model.tileSize} px tiles`,
      ],
      [
        'Trained on',
        `${provenance.tiles} tiles${where.length > 0 ? ` where ${where.join(', ')}` : ''}, ${provenance.steps} steps`,
      ],
      ['Data digest', html`<code>${provenance.dataDigest}</code>`],
      ['Seed', provenance.seed],
      ['Versions', `stainfold ${provenance.stainfold}, LibTorch ${provenance.libtorch}`],
      ['Device', `${provenance.device}, ${provenance.precision}`],
    );
  }
  for (const fact of Object.entries(data.facts ?? {})) facts.push(fact);
  return html`<section><h2>What was run</h2>
<dl>${facts.map(([term, value]) => html`<dt>${term}</dt><dd>${value}</dd>`)}</dl>
${
  model &&
  html`<details><summary>All training options</summary><dl>${Object.entries(model.options).map(
    ([name, value]) => html`<dt>${name}</dt><dd><code>${JSON.stringify(value) ?? 'undefined'}</code></dd>`,
  )}</dl></details>`
}</section>`;
}

function readingSection(
  columns: { group: string; title: string; about: string }[],
  evaluation: Evaluation,
): Html {
  return html`<section><h2>How to read this</h2>
<ul class="notes">
<li>A good embedding does two things at once: it hides the ${evaluation.batchColumn} a tile comes from, and it still shows the tissue. Either alone is easy: a constant hides everything.</li>
${columns
  .filter((column) => column.group !== '')
  .map(
    (column) => html`<li><b>${column.group}, ${column.title}</b>: ${column.about}</li>
`,
  )}<li><b>colour statistics</b>: mean, spread and quantiles of a tile's colours, with no learning. <b>untrained encoder</b>: the same network with random weights.</li>
<li>Batches that hold different tissue stand apart for that reason too: no embedding that keeps tissue will then reach perfect mixing.</li>
</ul></section>`;
}

function unreadableSection(evaluation: Evaluation): Html | null {
  const { unreadable } = evaluation;
  if (unreadable.length === 0) return null;
  return html`<section><h2>Unreadable files</h2>
<p>${unreadable.length} could not be read and are in no number above${unreadable.length > 10 && '; the first ten'}:</p>
<ul class="notes">${unreadable.slice(0, 10).map(({ file, reason }) => html`<li><code>${file}</code>: ${reason}</li>`)}</ul></section>`;
}
