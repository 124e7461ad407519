/** The page's style sheet: system fonts, one column of text, pictures as wide as they need, light and dark. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fdfcfb; --card: #ffffff; --ink: #1d1f23; --soft: #5d636e; --line: #e3e1de; --accent: #0072b2; --wash: #eef5fa;
}
@media (prefers-color-scheme: dark) {
  :root { --paper: #15171a; --card: #1d2024; --ink: #e9e8e6; --soft: #a3a8b0; --line: #33373d; --accent: #6bb8e8; --wash: #1b2a35; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 48px 24px 64px; }
header { margin-bottom: 32px; }
.kicker { margin: 0; color: var(--soft); font-size: 13px; letter-spacing: .04em; }
h1 { margin: 4px 0 20px; font-size: clamp(26px, 4vw, 36px); line-height: 1.2; letter-spacing: -.01em; text-wrap: balance; }
h2 { margin: 56px 0 8px; font-size: 21px; line-height: 1.3; letter-spacing: -.005em; }
h3 { margin: 0 0 6px; font-size: 15px; font-weight: 600; }
p { margin: 0 0 12px; max-width: 72ch; }
.verdict {
  margin: 0; padding: 16px 20px; max-width: none; background: var(--wash); border-left: 4px solid var(--accent);
  border-radius: 0 8px 8px 0; font-size: 17px;
}
.note, figcaption, caption { color: var(--soft); font-size: 14px; }
code { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: 16px 0 8px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: 8px; }
th, td { padding: 8px 10px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
thead th { vertical-align: bottom; color: var(--soft); font-weight: 500; }
thead .group { padding-bottom: 2px; font-size: 12px; }
thead .group:empty { border-bottom: 0; }
thead small { display: block; font-size: 12px; font-weight: 400; }
th:first-child { position: sticky; left: 0; background: var(--paper); text-align: left; padding-left: 0; }
td { vertical-align: top; }
tbody th { vertical-align: top; }
tbody tr:last-child > * { border-bottom-color: var(--ink); }
td.best { font-weight: 650; color: var(--accent); }
.spread { display: block; line-height: 1.2; color: var(--soft); font-weight: 400; font-size: 12px; }
.grid { display: grid; gap: 20px; margin: 16px 0 8px; }
.three { grid-template-columns: repeat(3, minmax(0, 1fr)); }
.four { grid-template-columns: repeat(4, minmax(0, 1fr)); }
figure { margin: 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px 10px; }
.card svg { display: block; width: 100%; height: auto; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 20px 0 0; padding: 0; list-style: none; font-size: 14px; }
.legend li { display: flex; align-items: center; gap: 7px; }
.legend strong { font-weight: 600; }
.dot { width: 11px; height: 11px; border-radius: 50%; flex: none; }
.batch { display: grid; grid-template-columns: 120px minmax(0, 1fr); gap: 16px; align-items: center; padding: 14px 0; border-bottom: 1px solid var(--line); }
.batch h3 { margin: 0; overflow-wrap: anywhere; }
.batch h3 small { display: block; color: var(--soft); font-weight: 400; font-size: 13px; }
.strip { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 12px; }
.pair { border-radius: 8px; overflow: hidden; }
.pair img { display: block; width: 100%; height: auto; }
.pair img + img { border-top: 2px solid var(--paper); }
.pair figcaption { padding: 4px 2px 0; font-size: 12px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 6px 24px; margin: 16px 0; font-size: 14px; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
details { margin: 12px 0; font-size: 14px; }
summary { cursor: pointer; color: var(--accent); }
ul.notes { margin: 12px 0; padding-left: 20px; max-width: 76ch; }
ul.notes li { margin-bottom: 6px; }
footer { margin-top: 56px; padding-top: 16px; border-top: 1px solid var(--line); color: var(--soft); font-size: 13px; }
@media (max-width: 860px) { .four { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
@media (max-width: 640px) {
  main { padding: 28px 16px 48px; }
  .three, .four { grid-template-columns: minmax(0, 1fr); }
  .batch { grid-template-columns: minmax(0, 1fr); gap: 8px; }
  .strip { grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)); }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin-bottom: 8px; }
}
@media print {
  @page { margin: 14mm; }
  :root { --paper: #fff; }
  body { font-size: 13px; }
  main { padding: 0; }
  h2 { margin-top: 28px; }
  h1, h2, h3, h2 + p, .kicker, .legend, caption { break-after: avoid; }
  .card, .batch, .scroll, .verdict, tr { break-inside: avoid; }
  .scroll { overflow: visible; }
  table { font-size: 10px; }
  th, td { padding: 5px 4px; }
  thead small, thead .group, .spread { font-size: 8.5px; }
  .strip { grid-template-columns: repeat(auto-fill, minmax(64px, 1fr)); }
}
`.trim();
