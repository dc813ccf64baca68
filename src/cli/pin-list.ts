import type { FoundReference } from '../pinner/find/types.ts';
import { editable } from '../pinner/reference-key.ts';
import { isAdmitted } from '../pinner/registries.ts';
import { jsonOption, writeJson, writeLine, type Command } from './command.ts';
import { printable } from './format.ts';
import { filterOf, scopeOptions } from './pin-options.ts';
import { scanFiles } from './pin-scan.ts';
import { formatTable, tableWidth } from './table.ts';

/** `pinned`, `unpinned`, or why the place is left alone. */
function stateOf(found: FoundReference): string {
  if (found.skip !== undefined) return found.skip;
  return editable(found)?.digest === undefined ? 'unpinned' : 'pinned';
}

export const pinListCommand: Command = {
  name: 'list',
  summary: 'List every image reference in files, and whether it is pinned',
  usage: ['pin list [PATH…]'],
  options: { json: jsonOption, ...scopeOptions },
  examples: [['holdfast pin list', 'every place below this folder where an image is named']],
  async run(context, options, operands) {
    const filter = filterOf(options);
    const { files, problems } = await scanFiles(context, options, operands);
    const places = files.flatMap(({ path, findings }) => findings.references.map((found) => ({ path, found })));
    const shown = places.filter(({ found }) => {
      const reference = editable(found);
      return reference === undefined || isAdmitted(reference, filter);
    });
    if (options['json'] === true) {
      writeJson(context.stdout, {
        references: shown.map(({ path, found }) => ({
          path,
          line: found.line,
          column: found.column,
          type: found.fileType,
          position: found.position,
          reference: found.reference,
          state: stateOf(found),
        })),
        problems,
      });
    } else {
      const columns = [
        { header: 'FILE', cut: 'middle' as const },
        { header: 'STATE', cut: 'never' as const },
        { header: 'REFERENCE', cut: 'middle' as const },
      ];
      const rows = shown.map(({ path, found }) => [`${path}:${found.line}`, stateOf(found), found.reference]);
      if (rows.length > 0) context.stdout.write(formatTable(columns, rows, tableWidth(context.stdout)));
      for (const { path, message } of problems) writeLine(context.stderr, printable(`left alone: ${path}: ${message}`));
    }
    return problems.length > 0 ? 1 : 0;
  },
};
