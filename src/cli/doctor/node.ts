import { isAtLeast, parseVersion, type Check } from './check.ts';

export function judgeNode(running: string): Check {
  const version = parseVersion(running);
  const ok = version !== undefined && isAtLeast(version, [24]);
  return {
    name: 'Node',
    status: ok ? 'ok' : 'missing',
    found: `${running} (running)`,
    ...(ok
      ? {}
      : { advice: 'Holdfast needs Node 24 or newer; its npm dependency "node" brings one: start it with bin/holdfast.' }),
    needed: true,
  };
}

export function judgeBundledNode(version: string | undefined): Check {
  return {
    name: 'Node, bundled',
    status: version === undefined ? 'warning' : 'ok',
    found: version ?? 'not installed',
    ...(version === undefined
      ? { advice: 'Without it Holdfast depends on the Node of this machine. Install it with: npm rebuild node' }
      : {}),
    needed: false,
  };
}

/** Before 3.51.3 a write that met a checkpoint could lose pages (sqlite.org/wal.html, "the WAL-reset bug"). */
export function judgeSqlite(version: string): Check {
  const ok = isAtLeast(parseVersion(version) ?? [], [3, 51, 3]);
  return {
    name: 'SQLite',
    status: ok ? 'ok' : 'missing',
    found: version,
    ...(ok
      ? {}
      : { advice: 'Before 3.51.3 a write during a checkpoint could be lost. Use the bundled Node: start with bin/holdfast.' }),
    needed: true,
  };
}
