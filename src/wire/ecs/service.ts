import type { Access } from '../../access/access.ts';
import type { Principal } from '../../access/principal.ts';
import { Fault } from '../../core/fault.ts';
import type { Orchestrator } from '../../orchestrator/orchestrator.ts';
import type { JsonService } from '../aws/json-protocol.ts';
import { writeDates } from './dates.ts';
import { ecsFaults, internalError } from './faults.ts';
import type { EcsCall } from './operation.ts';
import { findOperation } from './operations.ts';

export interface EcsServiceOptions {
  orchestrator: Orchestrator;
  /** What this wire needs of the access room. */
  access: Pick<Access, 'authorize'>;
}

const SIGNING_NAMES: ReadonlySet<string> = new Set(['ecs']);
/** A task definition has up to 64 KiB, and some clients escape each letter. */
const LONGEST_BODY = 1024 * 1024;

/** The ECS API as a service of the AWS JSON protocol. */
export function createEcsService({ orchestrator, access }: EcsServiceOptions): JsonService<Principal> {
  return {
    targetPrefix: 'AmazonEC2ContainerServiceV20141113',
    signingNames: SIGNING_NAMES,
    has: (operation) => findOperation(operation) !== undefined,
    bodyLimit: () => LONGEST_BODY,
    faults: ecsFaults,
    internalError,
    async call(name, input, { caller, identity }) {
      const operation = findOperation(name);
      if (operation === undefined) throw new Fault('operation-unknown', { operation: name });
      const call: EcsCall = {
        caller,
        orchestrator,
        authorize: (action, resourceArn) => access.authorize({ principal: identity, action, resourceArn }),
      };
      if (operation.kind === 'implemented') return writeDates(await operation.call(input, call)) as object;
      call.authorize(`ecs:${name}`, '*');
      throw new Fault('ecs', { code: operation.code, message: `${name} is not supported by this server. ${operation.instead}` });
    },
  };
}
