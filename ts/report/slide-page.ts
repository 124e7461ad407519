/** Slides as one page that needs nothing else: what was tiled, and what the tiles are like. */
import { type Html, html, raw } from './html.js';
import { STYLE } from './style.js';

export interface PageSlide {
  name: string;
  /** What is known of it, in order. */
  facts: readonly (readonly [term: string, value: string])[];
  pictures: readonly { title: string; about: string; alt: string; jpeg: Buffer; wide?: boolean }[];
  error: { code: string; message: string } | undefined;
}

export interface SlidePage {
  title: string;
  created: Date;
  verdict: string;
  command: string | undefined;
  facts: readonly (readonly [term: string, value: string])[];
  slides: readonly PageSlide[];
}

const PICTURES = `
.pictures { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 20px; margin: 16px 0 8px; align-items: start; }
.pictures .wide { grid-column: 1 / -1; }
.pictures .scroll { margin: 0; }
.pictures img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 4px; margin: 8px 0; }
@media screen and (max-width: 760px) {
  .pictures { grid-template-columns: minmax(0, 1fr); }
  .pictures .wide img { max-width: none; width: 760px; }
}
@media print { .pictures img { max-height: 105mm; } }
`;

export function renderSlidePage({ title, created, verdict, command, facts, slides }: SlidePage): string {
  const about = command === undefined ? facts : [...facts, ['Command', command] as const];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="stainfold">
<title>${title}</title>
<style>${raw(STYLE + PICTURES)}</style>
</head>
<body><main>
<header>
<p class="kicker">stainfold · ${created.toISOString().slice(0, 10)} · ${slides.length} ${slides.length === 1 ? 'slide' : 'slides'}</p>
<h1>${title}</h1>
<p class="verdict">${verdict}</p>
</header>
${slides.map(slideSection)}
<section><h2>What was run</h2>
<dl>${about.map(([term, value]) => html`<dt>${term}</dt><dd>${term === 'Command' ? html`<code>${value}</code>` : value}</dd>`)}</dl></section>
<footer>Made by stainfold. Nothing on this page is loaded from elsewhere. Label and macro images of slides are never read: they can show names.</footer>
</main></body>
</html>
`.markup;
}

function slideSection({ name, facts, pictures, error }: PageSlide): Html {
  return html`<section><h2>${name}</h2>
<dl>${facts.map(([term, value]) => html`<dt>${term}</dt><dd>${value}</dd>`)}</dl>
${error && html`<p class="note"><code>${error.code}</code> ${error.message}</p>`}
<div class="pictures">${pictures.map(
    ({ title, about, alt, jpeg, wide }) => html`
<figure class="card${wide ? ' wide' : ''}"><h3>${title}</h3><div class="scroll"><img alt="${alt}" src="data:image/jpeg;base64,${jpeg.toString('base64')}"></div><figcaption>${about}</figcaption></figure>`,
  )}</div></section>`;
}
