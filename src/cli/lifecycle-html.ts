import type { PreviewDocument, PreviewRow } from '../lifecycle/preview-document.ts';
import { summaryLines } from './lifecycle-show.ts';

const COLOURS = { keep: '#4a8f5c', held: '#2f6db3', archive: '#a9812f', expire: '#b4483c' } as const;
const VERDICTS = ['keep', 'held', 'archive', 'expire'] as const;
const DAY = 86_400_000;
const WIDTH = 960;
/** Cells of the picture; more images than this share them. */
const MOST_CELLS = 4_000;

/** A preview as one HTML file that needs nothing else: a picture, the sentences, and every image. */
export function renderPreviewHtml(preview: PreviewDocument): string {
  const now = Date.parse(preview.evaluatedAt);
  const rows = preview.images.map((row) => tableRow(row, now)).join('\n');
  const warnings = preview.warnings.map(({ message }) => `<li>${escape(message)}</li>`).join('');
  const count = (verdict: PreviewRow['verdict']): number => preview.images.filter((row) => row.verdict === verdict).length;
  const legend = VERDICTS.map(
    (verdict) => `<span><i style="background:${COLOURS[verdict]}"></i>${verdict} ${count(verdict)}</span>`,
  ).join('');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(preview.repository)}: lifecycle preview</title>
<style>
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } pre { overflow: auto; padding: 1rem; border: 1px solid #8886; border-radius: 4px; }
.legend span { margin-right: 1.2rem; } .legend i { display: inline-block; width: .8em; height: .8em; margin-right: .4em; }
svg { width: 100%; height: auto; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .2rem .6rem .2rem 0; vertical-align: top; border-bottom: 1px solid #8883; }
td.n, th.n { text-align: right; } code { font-size: .9em; overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>What a lifecycle policy would do to ${escape(preview.repository)}</h1>
<p>Evaluated ${escape(preview.evaluatedAt)}. Nothing has been changed.</p>
${summaryLines(preview)
  .map((line) => `<p>${escape(line)}</p>`)
  .join('\n')}
${warnings === '' ? '' : `<h2>Probably not meant</h2><ul>${warnings}</ul>`}
<p class="legend">${legend}</p>
${picture(preview.images)}
<h2>The policy</h2>
<pre>${escape(indented(preview.policy))}</pre>
<h2>Every image, oldest first</h2>
<table>
<thead><tr><th>Verdict</th><th class="n">Rule</th><th>Digest</th><th>Tags</th><th class="n">Age</th><th>Why</th></tr></thead>
<tbody>
${rows}
</tbody>
</table>
</body>
</html>
`;
}

/** Each image a square, oldest first, by its verdict. */
function picture(images: readonly PreviewRow[]): string {
  if (images.length === 0) return '<p>There are no images.</p>';
  const each = Math.ceil(images.length / MOST_CELLS);
  const cells: PreviewRow[] = [];
  for (let at = 0; at < images.length; at += each) cells.push(worst(images.slice(at, at + each)));
  const columns = Math.ceil(Math.sqrt(cells.length * 4));
  const side = WIDTH / columns;
  const height = Math.ceil(cells.length / columns) * side;
  const squares = cells.map((row, index) => {
    const [x, y] = [(index % columns) * side, Math.floor(index / columns) * side];
    const label = `${row.tags[0] ?? row.digest.slice(0, 19)}: ${row.verdict}`;
    return `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${(side * 0.88).toFixed(1)}" height="${(side * 0.88).toFixed(1)}" fill="${COLOURS[row.verdict]}"><title>${escape(label)}</title></rect>`;
  });
  const note = each === 1 ? '' : `<p>Each square stands for ${each} images, by the worst of their verdicts.</p>`;
  return `<svg viewBox="0 0 ${WIDTH} ${height.toFixed(0)}" role="img" aria-label="Each image a square, oldest first, coloured by its verdict">${squares.join('')}</svg>${note}`;
}

function worst(images: readonly PreviewRow[]): PreviewRow {
  return images.reduce((one, other) => (VERDICTS.indexOf(other.verdict) > VERDICTS.indexOf(one.verdict) ? other : one));
}

function tableRow(row: PreviewRow, now: number): string {
  const age = Math.max(0, Math.floor((now - Date.parse(row.pushedAt)) / DAY));
  return `<tr><td style="color:${COLOURS[row.verdict]}">${row.verdict}</td><td class="n">${row.rule ?? ''}</td><td><code>${escape(row.digest.slice(0, 19))}</code></td><td>${escape(row.tags.join(' '))}</td><td class="n">${age} d</td><td>${escape(row.why)}</td></tr>`;
}

function indented(policy: string): string {
  try {
    return JSON.stringify(JSON.parse(policy), undefined, 2);
  } catch {
    return policy;
  }
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
    .replaceAll(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '?');
}
