import type { Collector } from './collector.ts';
import { addWithDefault } from './image-keys.ts';

// `image: value` on one line, as a key of a block mapping; at most one quoted or plain value behind it.
const LINE = /^[ \t]*(?:-[ \t]+)*(["']?)(image|[a-zA-Z0-9]+Image)\1[ \t]*:[ \t]*/;
const MAX_LINE = 4096;

/** A template that is no YAML yet, line by line: only keys that name an image, with a value on their own line. */
export function findInTemplateLines(masked: string, collector: Collector): void {
  for (let at = 0; at < masked.length;) {
    const stop = masked.indexOf('\n', at);
    const end = stop < 0 ? masked.length : stop;
    if (end - at <= MAX_LINE) readLine(masked.slice(at, end), at, collector);
    at = end + 1;
  }
}

function readLine(line: string, at: number, collector: Collector): void {
  const head = LINE.exec(line);
  if (!head) return;
  let from = head[0].length;
  const quote = line[from];
  let to: number;
  if (quote === '"' || quote === "'") to = line.indexOf(quote, ++from);
  else {
    const comment = line.indexOf(' #', from);
    to = from + line.slice(from, comment < 0 ? line.length : comment).replace(/,?[ \t\r]*$/, '').length;
  }
  if (to <= from) return;
  const text = line.slice(from, to);
  const quoting = quote === '"' ? 'yaml-double' : quote === "'" ? 'yaml-single' : 'yaml-plain';
  addWithDefault(
    collector,
    { start: at + from, end: at + to, text, exact: !text.includes('\\'), quoting },
    head[2] ?? 'image',
    head[2] !== 'image' ? 'tagged' : collector.fileType === 'helm-template' ? 'certain' : 'likely',
  );
}
