import { isFault } from '../../src/core/fault.ts';
import type { RegisterTaskDefinitionRequest } from '@aws-sdk/client-ecs';

/** For `assert.rejects`: the ECS API's exception of this name, its message matching. */
export function ecsFault(code: string, message?: string | RegExp): (error: unknown) => true {
  return (error) => {
    if (!isFault(error, 'ecs')) throw error;
    const { facts } = error;
    const matches =
      message === undefined || (typeof message === 'string' ? facts.message === message : message.test(facts.message));
    if (facts.code !== code || !matches)
      throw new Error(`expected ${code}: ${message}\n     got ${facts.code}: ${facts.message}`);
    return true;
  };
}

/** A task definition of one container `app`, for Fargate. */
export function fargate(image: string, members: Partial<RegisterTaskDefinitionRequest> = {}) {
  return {
    family: 'web',
    networkMode: 'awsvpc' as const,
    requiresCompatibilities: ['FARGATE' as const],
    cpu: '256',
    memory: '512',
    containerDefinitions: [{ name: 'app', image, portMappings: [{ containerPort: 80 }] }],
    ...members,
  } as RegisterTaskDefinitionRequest & {
    family: string;
    containerDefinitions: NonNullable<RegisterTaskDefinitionRequest['containerDefinitions']>;
  };
}

/** For the waiters of AWS's SDK, in seconds: they look ten times a second. */
export const WAIT = { maxWaitTime: 90, minDelay: 0.1, maxDelay: 0.1 };

export const NETWORK = { awsvpcConfiguration: { subnets: ['subnet-0a'] } };
