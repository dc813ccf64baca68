import { Fault } from '../../core/fault.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Caller, Place } from '../../core/place.ts';
import type { Orchestrator, OrchestratorOperations } from '../../orchestrator/orchestrator.ts';
import { commonGrammar } from '../aws/grammar.ts';
import { readShape, type Violation } from '../aws/read-shape.ts';
import type { AnyStructure, StructureShape } from '../aws/shape.ts';
import { reviveDates } from './dates.ts';

/** One request: who asks, where, and what they may do. */
export interface EcsCall {
  readonly caller: Caller;
  readonly orchestrator: Orchestrator;
  /** Raises `access-denied`. */
  authorize(action: string, resourceArn: string): void;
}

/** One line of the table of operations. */
export type EcsOperation =
  | {
      kind: 'implemented';
      /** What it takes. */
      input: AnyStructure;
      call(input: JsonObject, call: EcsCall): Promise<object>;
    }
  | {
      kind: 'refused';
      /** A modelled exception of the operation. */
      code: 'UnsupportedFeatureException' | 'ClientException';
      /** What is missing and what to do instead: sentences. */
      instead: string;
    };

type InputOf<Name extends keyof OrchestratorOperations> = Parameters<OrchestratorOperations[Name]>[1];

/**
 * An operation that the orchestrator has: the members of its input, and the ARNs that IAM asks for (`*` when there are none).
 * The caller is checked on each of them before anything is looked up.
 */
export function operation<const Name extends keyof OrchestratorOperations>(
  name: Name,
  members: StructureShape<InputOf<Name>>['members'],
  resources: (input: InputOf<Name>, place: Place) => string[] = () => [],
): EcsOperation {
  const shape: StructureShape<InputOf<Name>> = { type: 'structure', members };
  return {
    kind: 'implemented',
    input: shape as AnyStructure,
    async call(json, { caller, orchestrator, authorize }) {
      const input = parseInput(shape, json);
      const arns = resources(input, caller);
      for (const arn of arns.length === 0 ? ['*'] : arns) authorize(`ecs:${name}`, arn);
      const run = orchestrator.operations[name] as (caller: Caller, input: unknown) => Promise<object>;
      return run(caller, input);
    },
  };
}

/** Raises `body-invalid`, and the fault `ecs` that tells of the first members that break their shape. */
function parseInput<T>(shape: StructureShape<T>, json: JsonObject): T {
  const result = readShape(shape, withoutEmptyChoices(shape as AnyStructure, json));
  if (result.ok) return reviveDates(shape, result.value) as T;
  if ('mismatch' in result) throw new Fault('body-invalid', { reason: result.mismatch });
  const count = result.violations.length;
  throw new Fault('ecs', {
    code: 'InvalidParameterException',
    message: `${count} validation error${count === 1 ? '' : 's'} detected: ${result.violations.map(describe).join('; ')}`,
  });
}

/** Older clients write an empty text for a choice that nobody made, a launch type say, and ECS takes it for none. */
function withoutEmptyChoices({ members }: AnyStructure, json: JsonObject): JsonObject {
  const isChoice = (name: string): boolean => {
    const member = Object.hasOwn(members, name) ? members[name] : undefined;
    return member?.type === 'string' && member.enum !== undefined;
  };
  return Object.fromEntries(Object.entries(json).filter(([name, value]) => value !== '' || !isChoice(name)));
}

function describe({ path, constraint, value }: Violation): string {
  const shown = typeof value === 'string' || typeof value === 'number' ? `'${String(value).slice(0, 100)}'` : 'null';
  return `Value ${shown} at '${path}' failed to satisfy constraint: ${commonGrammar(constraint)}`;
}
