import type { Clock } from '../../core/clock.ts';
import type { HttpHandler } from './context.ts';
import { sendText } from './send.ts';
import type { AccessEntry } from './server.ts';

export interface MetricsOptions {
  /** Counts of the rooms, by name. */
  usage: () => Promise<Record<string, number>>;
  clock: Clock;
}

/** `/healthz` and `/metrics` (Prometheus text format 0.0.4), and the observer that counts requests for the latter. */
export function createMetrics({ usage, clock }: MetricsOptions): {
  healthz: HttpHandler;
  metrics: HttpHandler;
  observe: (entry: AccessEntry) => void;
} {
  const started = clock.monotonic();
  const requests = new Map<string, { count: number; seconds: number }>();
  return {
    async healthz(_request, response) {
      // `holdfast doctor` knows by it that the port is taken by one of ours.
      response.setHeader('Server', 'Holdfast');
      sendText(response, 200, 'ok\n');
    },
    observe({ method, path, status, duration }) {
      const key = `method="${KNOWN_METHODS.has(method) ? method : 'OTHER'}",wire="${wireOf(path)}",status="${status}"`;
      const entry = requests.get(key) ?? { count: 0, seconds: 0 };
      entry.count++;
      entry.seconds += duration / 1000;
      requests.set(key, entry);
    },
    async metrics(_request, response) {
      const lines: string[] = [];
      const write = (name: string, type: 'counter' | 'gauge', help: string, rows: [labels: string, value: number][]): void => {
        lines.push(
          `# HELP ${name} ${help}`,
          `# TYPE ${name} ${type}`,
          ...rows.map(([labels, value]) => `${name}${labels === '' ? '' : `{${labels}}`} ${value}`),
        );
      };
      write('holdfast_uptime_seconds', 'gauge', 'Time since the server came up.', [['', (clock.monotonic() - started) / 1000]]);
      write('holdfast_resident_memory_bytes', 'gauge', 'Memory of the server process.', [['', process.memoryUsage.rss()]]);
      write(
        'holdfast_requests_total',
        'counter',
        'Requests answered.',
        [...requests].map(([labels, { count }]) => [labels, count]),
      );
      write(
        'holdfast_request_seconds_total',
        'counter',
        'Time spent on them.',
        [...requests].map(([labels, { seconds }]) => [labels, seconds]),
      );
      for (const [name, value] of Object.entries(await usage())) {
        const metric = `holdfast_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
        write(metric, 'gauge', `Registry: ${name}.`, [['', value]]);
      }
      sendText(response, 200, `${lines.join('\n')}\n`, { 'Content-Type': 'text/plain; version=0.0.4' });
    },
  };
}

const KNOWN_METHODS = new Set(['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE']);

function wireOf(path: string): string {
  if (path.startsWith('/v2')) return 'oci';
  if (path.startsWith('/holdfast/')) return 'holdfast';
  return path === '/' ? 'aws' : 'other';
}
