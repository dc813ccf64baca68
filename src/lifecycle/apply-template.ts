import type { Clock } from '../core/clock.ts';
import type { ApplyTemplate } from '../registry/repositories.ts';
import type { LifecycleTransaction } from './context.ts';
import { parseLifecyclePolicy } from './parse-policy.ts';

/** Gives a repository that is made on a push the policy of its template. The wire has checked it when it was put. */
export function createTemplatePolicies({ clock }: { clock: Clock }): ApplyTemplate {
  return async (transaction, repository, { document, prefix }) => {
    const text = document['lifecyclePolicy'];
    if (typeof text !== 'string' || text === '') return;
    parseLifecyclePolicy(text);
    await (transaction as unknown as LifecycleTransaction)
      .insertInto('lifecycle_policy')
      .values({
        repository_id: repository.id,
        text,
        updated_at: clock.now(),
        updated_by: `template ${prefix}`,
        last_evaluated_at: null,
        is_off: 0,
      })
      .execute();
  };
}
