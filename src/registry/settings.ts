import { recordAudit } from './audit.ts';
import type { RegistryContext } from './context.ts';
import type { RegistrySettings } from './registry.ts';

export function createSettings({ meta, clock }: RegistryContext): RegistrySettings {
  return {
    async get(place, name) {
      const row = await meta.read
        .selectFrom('registry_setting')
        .select('value')
        .where('account', '=', place.account)
        .where('region', '=', place.region)
        .where('name', '=', name)
        .executeTakeFirst();
      return row?.value;
    },

    set: (caller, name, value) =>
      meta.transact(async (transaction) => {
        const { account, region } = caller;
        if (value === undefined) {
          const { numDeletedRows } = await transaction
            .deleteFrom('registry_setting')
            .where('account', '=', account)
            .where('region', '=', region)
            .where('name', '=', name)
            .executeTakeFirstOrThrow();
          if (Number(numDeletedRows) === 0) return;
        } else {
          await transaction
            .insertInto('registry_setting')
            .values({ account, region, name, value })
            .onConflict((conflict) => conflict.columns(['account', 'region', 'name']).doUpdateSet({ value }))
            .execute();
        }
        await recordAudit(transaction, caller, {
          at: clock.now(),
          action: value === undefined ? 'setting.remove' : 'setting.set',
          detail: { name },
        });
      }),
  };
}
