import { formatBytes, formatDuration, printable } from './format.ts';

export interface Progress {
  /** How much is done in all. */
  update(done: number): void;
  /** Done since the last call. */
  advance(count: number): void;
  /** What is being worked on now. */
  label(text: string): void;
  /** Ends with one line; called once, also when the work failed. */
  finish(text?: string): void;
}

export interface ProgressSettings {
  label: string;
  /** Absent when nobody knows beforehand. */
  total?: number;
  unit?: 'bytes' | 'items';
  now(): number;
}

const redrawEvery = 100;
const lineEvery = 5000;

/** A bar that redraws itself on a terminal; elsewhere a plain line every five seconds and one at the end. Goes to stderr. */
export function createProgress(
  stream: NodeJS.WritableStream & { isTTY?: boolean; columns?: number },
  settings: ProgressSettings,
): Progress {
  const { now, total, unit = 'items' } = settings;
  const started = now();
  const terminal = stream.isTTY === true;
  let label = printable(settings.label);
  let done = 0;
  // On a terminal at once; elsewhere only what takes longer than one interval is worth a line.
  let shown = terminal ? Number.NEGATIVE_INFINITY : started;

  const amount = (count: number): string => (unit === 'bytes' ? formatBytes(count) : String(count));
  const state = (): string => {
    const percent = total === undefined || total === 0 ? '' : ` ${Math.min(100, Math.floor((done / total) * 100))}%`;
    return `${amount(done)}${total === undefined ? '' : ` of ${amount(total)}`}${percent}`;
  };
  const draw = (): void => {
    const time = now();
    if (time - shown < (terminal ? redrawEvery : lineEvery)) return;
    shown = time;
    if (!terminal) {
      stream.write(`${label}: ${state()}\n`);
      return;
    }
    const width = stream.columns !== undefined && stream.columns > 0 ? stream.columns : 80;
    stream.write(
      `\r\x1b[K${Array.from(bar(label, state(), total === undefined ? undefined : done / (total || 1), width))
        .slice(0, width - 1)
        .join('')}`,
    );
  };

  return {
    update(count) {
      done = count;
      draw();
    },
    advance(count) {
      done += count;
      draw();
    },
    label(text) {
      label = printable(text);
      draw();
    },
    finish(text) {
      const took = formatDuration(now() - started);
      stream.write(`${terminal ? '\r\x1b[K' : ''}${text ?? `${label}: ${amount(done)} in ${took}`}\n`);
    },
  };
}

function bar(label: string, state: string, part: number | undefined, width: number): string {
  const room = Math.min(40, width - label.length - state.length - 6);
  if (part === undefined || room < 10) return `${label} ${state}`;
  const full = Math.round(Math.min(1, Math.max(0, part)) * room);
  return `${label} [${'#'.repeat(full)}${' '.repeat(room - full)}] ${state}`;
}
