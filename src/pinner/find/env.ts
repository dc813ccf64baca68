import { addWithDefault } from './image-keys.ts';
import type { Collector } from './collector.ts';

const HEAD = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]{0,200})[ \t]*=[ \t]*/;
const MAX_LINE = 4096;

/** A `.env` file: the variables that a compose file beside it uses as an image, and those that are named for one. */
export function findInEnv(text: string, collector: Collector, used: ReadonlySet<string>): void {
  for (let at = 0; at < text.length;) {
    const stop = text.indexOf('\n', at);
    const end = stop < 0 ? text.length : stop;
    if (end - at <= MAX_LINE) readLine(text.slice(at, end), at, collector, used);
    at = end + 1;
  }
}

function readLine(line: string, at: number, collector: Collector, used: ReadonlySet<string>): void {
  const head = HEAD.exec(line);
  const name = head?.[1];
  if (!head || name === undefined) return;
  const isUsed = used.has(name);
  if (!isUsed && !/(?:^|_)IMAGE(?:_?(?:NAME|URI|URL|REF))?$/i.test(name)) return;
  let from = head[0].length;
  const quote = line[from];
  let to: number;
  if (quote === '"' || quote === "'") to = line.indexOf(quote, ++from);
  else {
    const comment = line.indexOf(' #', from);
    to = from + line.slice(from, comment < 0 ? line.length : comment).trimEnd().length;
  }
  if (to <= from) return;
  addWithDefault(
    collector,
    { start: at + from, end: at + to, text: line.slice(from, to), exact: true, quoting: 'plain' },
    name,
    isUsed ? 'certain' : 'tagged',
  );
}
