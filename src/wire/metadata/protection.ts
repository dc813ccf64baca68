import type { IncomingMessage } from 'node:http';
import { isFault } from '../../core/fault.ts';
import { isJsonObject, JsonError, parseJson, type JsonObject } from '../../core/json.ts';
import type { Orchestrator } from '../../orchestrator/orchestrator.ts';
import type { ContainerView } from '../../orchestrator/supervise/supervisor.ts';
import { readBody } from '../http/body.ts';

export type ProtectionOperations = Pick<Orchestrator['operations'], 'GetTaskProtection' | 'UpdateTaskProtection'>;

export interface ProtectionAnswer {
  status: number;
  body: unknown;
  allow?: string;
}

const BODY_LIMIT = 4096;

/** `GET` and `PUT ${ECS_AGENT_URI}/task-protection/v1/state`: a task reads and sets its own protection from scale-in. */
export async function answerProtection(
  operations: ProtectionOperations,
  view: ContainerView | undefined,
  request: IncomingMessage,
): Promise<ProtectionAnswer> {
  if (view === undefined) return failure(404, undefined, 'ResourceNotFoundException', 'Failed to find a task for the request');
  const { spec } = view;
  const caller = { account: spec.accountId, region: spec.region, principal: spec.arn };
  const task = { cluster: spec.clusterArn, tasks: [spec.arn] };
  const change = request.method === 'PUT' ? await readChange(request) : undefined;
  if (change === undefined && request.method !== 'GET') return { status: 405, body: 'method not allowed', allow: 'GET, PUT' };
  if (typeof change === 'string') return failure(400, spec.arn, 'InvalidParameterException', change);
  try {
    const answer =
      change === undefined
        ? await operations.GetTaskProtection(caller, task)
        : await operations.UpdateTaskProtection(caller, { ...task, ...change });
    const [refused] = answer.failures ?? [];
    if (refused !== undefined)
      return { status: 200, body: { failure: { Arn: refused.arn, Detail: refused.detail, Reason: refused.reason } } };
    const [found] = answer.protectedTasks ?? [];
    if (found === undefined) return failure(404, spec.arn, 'ResourceNotFoundException', 'Failed to find a task for the request');
    return {
      status: 200,
      body: {
        protection: {
          ExpirationDate: found.expirationDate?.toISOString(),
          ProtectionEnabled: found.protectionEnabled,
          TaskArn: found.taskArn,
        },
      },
    };
  } catch (error) {
    if (!isFault(error, 'ecs')) throw error;
    const { code, message } = error.facts;
    return failure(code === 'ServerException' ? 500 : 400, spec.arn, code, message);
  }
}

/** What is asked for, or the sentence that refuses it. */
async function readChange(request: IncomingMessage): Promise<{ protectionEnabled: boolean; expiresInMinutes?: number } | string> {
  const undecoded = 'UpdateTaskProtection: failed to decode request';
  let body: JsonObject;
  try {
    const parsed = parseJson(await readBody(request, BODY_LIMIT), 2);
    if (!isJsonObject(parsed)) return undecoded;
    body = parsed;
  } catch (error) {
    if (error instanceof JsonError || isFault(error, 'request-too-large')) return undecoded;
    throw error;
  }
  const { ProtectionEnabled: enabled, ExpiresInMinutes: minutes, ...unknown } = body;
  if (Object.keys(unknown).length > 0) return undecoded;
  if (enabled === undefined || enabled === null) return "Invalid request: does not contain 'ProtectionEnabled' field";
  if (typeof enabled !== 'boolean') return undecoded;
  if (minutes === undefined || minutes === null) return { protectionEnabled: enabled };
  if (typeof minutes !== 'number' || !Number.isSafeInteger(minutes)) return undecoded;
  return { protectionEnabled: enabled, expiresInMinutes: minutes };
}

function failure(status: number, arn: string | undefined, code: string, message: string): ProtectionAnswer {
  return { status, body: { error: { Arn: arn, Code: code, Message: message } } };
}
