import type { ServerResponse } from 'node:http';
import type { Clock } from '../../core/clock.ts';
import type { Supervisor } from '../../orchestrator/supervise/supervisor.ts';
import type { HttpHandler } from '../http/context.ts';
import { guard } from '../http/guard.ts';
import { sendJson } from '../http/send.ts';
import { splitTarget } from '../http/target.ts';
import { containerResponse } from './container-response.ts';
import { answerProtection, type ProtectionOperations } from './protection.ts';
import { createStatsHistory } from './stats-response.ts';
import { taskResponse } from './task-response.ts';

export interface MetadataOptions {
  supervisor: Pick<Supervisor, 'describe' | 'stats'>;
  protection: ProtectionOperations;
  clock: Clock;
  /** Where tasks are said to be; `us-east-1a`, say. */
  availabilityZone: string;
}

const METADATA = /^\/v4\/([^/]*)(?:\/(task|taskWithTags|stats|task\/stats))?\/?$/;
const PROTECTION = /^\/api\/([^/]*)\/task-protection\/v1\/state\/?$/;
/** What is true for a moment only is nobody's to keep. */
const FRESH = { 'Cache-Control': 'no-store' };

/**
 * The task metadata endpoint, version 4, and the task protection endpoint, for containers: `/v4/<id>` and `/api/<id>`, where the id
 * is the container's own secret, which it has from its environment (ECS, "Task metadata endpoint version 4").
 */
export function createMetadataHandler({ supervisor, protection, clock, availabilityZone }: MetadataOptions): HttpHandler {
  const withHistory = createStatsHistory();

  const answer = async (response: ServerResponse, id: string, what: string): Promise<void> => {
    const subject = what.endsWith('stats')
      ? `${what === 'stats' ? 'container' : 'task'} stats`
      : `${what === '' ? 'container' : 'task'} metadata`;
    const refuse = (reason: string): void => sendJson(response, 404, `V4 ${subject} handler: ${reason}`, FRESH);
    const view = supervisor.describe(id);
    if (view === undefined) return refuse('unable to find a container with this id');
    if (what === '') return sendJson(response, 200, containerResponse(view, view.name), FRESH);
    if (!what.endsWith('stats')) {
      return sendJson(response, 200, taskResponse(view, availabilityZone, what === 'taskWithTags'), FRESH);
    }
    const stats = (await supervisor.stats(view.spec.id)) ?? {};
    const rated = (name: string) => {
      const one = stats[name];
      return one === undefined ? undefined : withHistory(`${view.spec.id}/${name}`, one, clock.monotonic());
    };
    if (what === 'stats') {
      const own = rated(view.name);
      return own === undefined ? refuse(`container ${view.name} does not run`) : sendJson(response, 200, own, FRESH);
    }
    const containers = view.state.containers.filter(({ runtimeId }) => runtimeId !== undefined);
    // The agent says null of a container that has no stats yet.
    const all = Object.fromEntries(containers.map(({ name, runtimeId = '' }) => [runtimeId, rated(name) ?? null]));
    return sendJson(response, 200, all, FRESH);
  };

  const handle: HttpHandler = async (request, response) => {
    const { path } = splitTarget(request.url ?? '/');
    const asked = PROTECTION.exec(path);
    if (asked !== null) {
      const { status, body, allow } = await answerProtection(protection, supervisor.describe(asked[1] ?? ''), request);
      return sendJson(response, status, body, allow === undefined ? FRESH : { ...FRESH, Allow: allow });
    }
    const metadata = METADATA.exec(path);
    if (metadata === null)
      return sendJson(response, 404, 'nothing is here: see /task, /taskWithTags, /stats and /task/stats', FRESH);
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return sendJson(response, 405, 'method not allowed', { ...FRESH, Allow: 'GET, HEAD' });
    return answer(response, metadata[1] ?? '', metadata[2] ?? '');
  };
  const failed = (_request: unknown, response: ServerResponse): void => sendJson(response, 500, 'failed to get metadata', FRESH);
  return guard(handle, { internal: failed, fault: (_fault, request, response) => failed(request, response) });
}
