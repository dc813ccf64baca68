import { isFault } from '../core/fault.ts';
import { parseLifecyclePolicy } from '../lifecycle/parse-policy.ts';
import type { LifecycleRule } from '../lifecycle/policy.ts';
import type { PreviewDocument, PreviewRow } from '../lifecycle/preview-document.ts';
import { summaryLines, verdictWord } from './lifecycle-show.ts';

const COLOURS = { keep: '#4a8f5c', held: '#2f6db3', archive: '#a9812f', later: '#d99a6c', expire: '#b4483c' } as const;
type Word = keyof typeof COLOURS;
const WORDS = ['keep', 'held', 'archive', 'later', 'expire'] as const;
const MEANINGS: Record<Word, string> = {
  keep: 'stays',
  held: 'somebody needs it',
  archive: 'goes into the archive',
  later: 'follows another that goes',
  expire: 'goes',
};
const DAY = 86_400_000;
const WIDTH = 960;
/** Cells of the picture; more images than this share them. */
const MOST_CELLS = 4_000;
const LARGEST_CELL = 24;

/** A preview as one HTML file that needs nothing else: the sentences, a picture, every rule, and every image. */
export function renderPreviewHtml(preview: PreviewDocument): string {
  const now = Date.parse(preview.evaluatedAt);
  const counts = countWords(preview.images);
  const [first = '', ...others] = summaryLines(preview);
  const warnings = preview.warnings.map(({ message }) => `<li>${escape(message)}</li>`).join('');
  const legend = WORDS.filter((word) => counts[word] > 0)
    .map((word) => `<span><i style="background:${COLOURS[word]}"></i>${counts[word]} ${word}: ${MEANINGS[word]}</span>`)
    .join('');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(preview.repository)}: lifecycle preview</title>
<style>
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0; } .first { font-size: 1.15rem; } .quiet { opacity: .7; }
.warnings { border-left: 4px solid #d99a00; padding: .2rem 1rem; }
pre { overflow: auto; padding: 1rem; border: 1px solid #8886; border-radius: 4px; }
.legend { margin-top: 1.2rem; } .legend span { margin-right: 1.2rem; white-space: nowrap; }
.legend i { display: inline-block; width: .8em; height: .8em; margin-right: .4em; }
svg { display: block; max-width: 100%; height: auto; margin: .6rem 0; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; border-bottom: 1px solid #8883; }
td.n, th.n { text-align: right; white-space: nowrap; } td code { font-size: .9em; white-space: nowrap; }
ul.warnings { padding-left: 1.8rem; }
</style>
</head>
<body>
<h1>What a lifecycle policy would do to ${escape(preview.repository)}</h1>
<p class="first">${escape(first)}</p>
${others.map((line) => `<p>${escape(line)}</p>`).join('\n')}
<p class="quiet">Evaluated ${escape(preview.evaluatedAt)}. Nothing has been changed.</p>
${warnings === '' ? '' : `<h2>Probably not meant</h2><ul class="warnings">${warnings}</ul>`}
<p class="legend">${legend}</p>
${picture(preview.images)}
<h2>The rules, the most important first</h2>
${ruleTable(preview)}
<details><summary>The policy as it is written</summary><pre>${escape(indented(preview.policy))}</pre></details>
<h2>Every image, oldest first</h2>
<table>
<thead><tr><th>Verdict</th><th class="n">Rule</th><th>Digest</th><th>Tags</th><th class="n">Age</th><th>Why</th></tr></thead>
<tbody>
${preview.images.map((row) => tableRow(row, now)).join('\n')}
</tbody>
</table>
</body>
</html>
`;
}

function countWords(rows: readonly PreviewRow[]): Record<Word, number> {
  const counts = { keep: 0, held: 0, archive: 0, later: 0, expire: 0 };
  for (const row of rows) counts[verdictWord(row)]++;
  return counts;
}

/** Each rule in words, with what it owns. */
function ruleTable({ policy, images }: PreviewDocument): string {
  const byRule = Map.groupBy(images, ({ rule }) => rule);
  const rows = readRules(policy).map((rule) => {
    const counts = countWords(byRule.get(rule.priority) ?? []);
    const fate = WORDS.filter((word) => counts[word] > 0).map((word) => `${counts[word]} ${word}`);
    const note = rule.description === undefined ? '' : `<br><span class="quiet">${escape(rule.description)}</span>`;
    return `<tr><td class="n">${rule.priority}</td><td>${escape(describeRule(rule))}${note}</td><td>${fate.join(', ') || 'owns nothing'}</td></tr>`;
  });
  const free = countWords((byRule.get(undefined) ?? []).filter(({ reason }) => reason.kind === 'no-rule'));
  if (free.keep > 0) rows.push(`<tr><td class="n"></td><td>no rule</td><td>${free.keep} keep</td></tr>`);
  return `<table><thead><tr><th class="n">Rule</th><th>What it says</th><th>Of its images</th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

function readRules(policy: string): LifecycleRule[] {
  try {
    return parseLifecyclePolicy(policy).rules;
  } catch (error) {
    if (isFault(error, 'parameter-invalid')) return [];
    throw error;
  }
}

function describeRule({
  tagStatus,
  patterns,
  tagMatch,
  storageClass,
  action,
  countType,
  countNumber = 0,
}: LifecycleRule): string {
  const tags = patterns.join(tagMatch === 'all' ? ' and ' : ' or ');
  const images = tagStatus === 'any' ? 'all images' : tagStatus === 'untagged' ? 'untagged images' : `images tagged ${tags}`;
  const which = `${images}${storageClass === 'archive' ? ' of the archive' : ''}`;
  const what = action === 'transition' ? 'archive' : action;
  switch (countType) {
    case undefined:
      return `keep ${which}`;
    case 'imageCountMoreThan':
      return `${what} ${which}, but the newest ${countNumber}`;
    case 'sinceImagePushed':
      return `${what} ${which} that were pushed more than ${countNumber} d ago`;
    case 'sinceImagePulled':
      return `${what} ${which} that nobody has pulled for ${countNumber} d`;
    case 'sinceImageTransitioned':
      return `${what} ${which} that were archived more than ${countNumber} d ago`;
  }
}

/** Each image a square, oldest first, by its verdict. */
function picture(images: readonly PreviewRow[]): string {
  if (images.length === 0) return '<p>There are no images.</p>';
  const each = Math.ceil(images.length / MOST_CELLS);
  const cells: PreviewRow[] = [];
  for (let at = 0; at < images.length; at += each) cells.push(worst(images.slice(at, at + each)));
  const columns = Math.max(Math.ceil(Math.sqrt(cells.length * 4)), WIDTH / LARGEST_CELL);
  const side = WIDTH / columns;
  const height = Math.ceil(cells.length / columns) * side;
  const squares = cells.map((row, index) => {
    const [x, y] = [(index % columns) * side, Math.floor(index / columns) * side];
    const label = `${row.tags[0] ?? row.digest.slice(0, 19)}: ${verdictWord(row)}`;
    return `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${(side * 0.88).toFixed(1)}" height="${(side * 0.88).toFixed(1)}" fill="${COLOURS[verdictWord(row)]}"><title>${escape(label)}</title></rect>`;
  });
  const note = each === 1 ? '' : `<p>Each square stands for ${each} images, by the worst of their verdicts.</p>`;
  return `<svg viewBox="0 0 ${WIDTH} ${height.toFixed(0)}" width="${WIDTH}" role="img" aria-label="Each image a square, oldest first, coloured by its verdict">${squares.join('')}</svg>${note}`;
}

function worst(images: readonly PreviewRow[]): PreviewRow {
  const rank = (row: PreviewRow): number => WORDS.indexOf(verdictWord(row));
  return images.reduce((one, other) => (rank(other) > rank(one) ? other : one));
}

function tableRow(row: PreviewRow, now: number): string {
  const age = Math.max(0, Math.floor((now - Date.parse(row.pushedAt)) / DAY));
  const word = verdictWord(row);
  return `<tr><td style="color:${COLOURS[word]}">${word}</td><td class="n">${row.rule ?? ''}</td><td><code title="${escape(row.digest)}">${escape(row.digest.replace(/^sha\d+:/, '').slice(0, 12))}</code></td><td>${escape(row.tags.join(' '))}</td><td class="n">${age} d</td><td>${escape(row.why)}</td></tr>`;
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
