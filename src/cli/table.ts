import { printable } from './format.ts';

export interface Column {
  header: string;
  align?: 'left' | 'right';
  /** Where a text too long for the terminal is cut: `middle` keeps both ends of a path or an ARN. `never` keeps it whole. */
  cut?: 'end' | 'middle' | 'never';
  /** Left out where no row has anything in it. */
  whenFilled?: boolean;
}

const narrowest = 8;

/**
 * Rows as aligned text with two spaces between the columns, cut to fit `width` characters (the widest columns lose
 * first). Cells may hold anything from outside: control characters are shown as `?`. Ends with a newline.
 */
export function formatTable(columns: (Column | string)[], rows: (string | number | undefined)[][], width: number): string {
  const all = columns.map((column): Column => (typeof column === 'string' ? { header: column } : column));
  const isShown = all.map(({ whenFilled }, index) => whenFilled !== true || rows.some((row) => row[index] !== ''));
  const shape = all.filter((_, index) => isShown[index]);
  const cells = rows.map((row) =>
    all.map((_, index) => printable(String(row[index] ?? '-'))).filter((_, index) => isShown[index]),
  );
  const lines = [shape.map(({ header }) => header), ...cells];
  const widths = fit(
    shape,
    shape.map((_, index) => lines.reduce((widest, line) => Math.max(widest, length(line[index] ?? '')), 0)),
    width,
  );
  return lines
    .map((line) => {
      const texts = line.map((text, index) => pad(cut(text, widths[index] ?? 0, shape[index]), widths[index] ?? 0, shape[index]));
      return `${texts.join('  ').trimEnd()}\n`;
    })
    .join('');
}

/** How wide a table may be: the terminal's width, or 100 where there is none. */
export function tableWidth(stream: { isTTY?: boolean; columns?: number }): number {
  return stream.isTTY === true && stream.columns !== undefined && stream.columns > 0 ? stream.columns : 100;
}

function fit(columns: Column[], natural: number[], width: number): number[] {
  const widths = [...natural];
  const room = width - 2 * (widths.length - 1);
  let excess = widths.reduce((sum, each) => sum + each, 0) - room;
  while (excess > 0) {
    let widest = -1;
    for (const [index, column] of columns.entries()) {
      const each = widths[index] ?? 0;
      if (column.cut !== 'never' && each > narrowest && each > (widths[widest] ?? 0)) widest = index;
    }
    if (widest === -1) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess--;
  }
  return widths;
}

function cut(text: string, width: number, column: Column | undefined): string {
  const characters = Array.from(text);
  if (characters.length <= width || column?.cut === 'never') return text;
  if (column?.cut === 'middle') {
    const tail = Math.floor((width - 1) / 2);
    return `${characters.slice(0, width - 1 - tail).join('')}…${characters.slice(characters.length - tail).join('')}`;
  }
  return `${characters.slice(0, width - 1).join('')}…`;
}

function pad(text: string, width: number, column: Column | undefined): string {
  const space = ' '.repeat(Math.max(0, width - length(text)));
  return column?.align === 'right' ? space + text : text + space;
}

/** In characters, not in UTF-16 units. */
function length(text: string): number {
  return Array.from(text).length;
}
