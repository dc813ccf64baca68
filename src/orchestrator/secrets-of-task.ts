import type { Place } from '../core/place.ts';
import type { SecretsOfTask } from './build-task-spec.ts';
import { readContainerSecrets } from './container-secrets.ts';
import type { OrchestratorContext, PullLogin } from './context.ts';
import { readPullLogin } from './pull-logins.ts';
import { readReference } from './image-holds.ts';
import type { TaskDefinitionDocument } from './task-definition-rows.ts';
import type { TaskContainer } from './task-rows.ts';

const LONGEST_REASON = 1000;

/** Everything that a task's definition names and does not hold; or the task's stop reason, as AWS begins it, for what is missing. */
export async function readSecretsOf(
  context: Pick<OrchestratorContext, 'readSecret' | 'pullCredentials'>,
  place: Place,
  { containerDefinitions }: TaskDefinitionDocument,
  containers: TaskContainer[],
): Promise<SecretsOfTask | { failure: string }> {
  const credentials = new Map<string, PullLogin>();
  const secrets = new Map<string, Record<string, string>>();
  for (const { name, reference } of containers) {
    const definition = containerDefinitions.find((one) => one.name === name);
    const parameter = definition?.repositoryCredentials?.credentialsParameter;
    if (parameter !== undefined) {
      const found = await readPullLogin(context, place, parameter);
      if ('failure' in found) return failed(name, found.failure);
      credentials.set(name, found.login);
    } else {
      // Of a name that is no reference the runtime tells in the words of a pull.
      const login = readReference(reference) === undefined ? undefined : await context.pullCredentials?.(reference);
      if (login !== undefined) credentials.set(name, login);
    }
    if (definition?.secrets === undefined || definition.secrets.length === 0) continue;
    const found = await readContainerSecrets(context, place, definition.secrets);
    if ('failure' in found) return failed(name, found.failure);
    secrets.set(name, found.values);
  }
  return { credentials, secrets };
}

function failed(container: string, failure: string): { failure: string } {
  const reason = `ResourceInitializationError: unable to pull secrets or registry auth: container '${container}': ${failure}`;
  return { failure: reason.slice(0, LONGEST_REASON) };
}
