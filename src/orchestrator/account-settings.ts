import type {
  DeleteAccountSettingRequest,
  DeleteAccountSettingResponse,
  ListAccountSettingsRequest,
  ListAccountSettingsResponse,
  PutAccountSettingDefaultRequest,
  PutAccountSettingDefaultResponse,
  PutAccountSettingRequest,
  PutAccountSettingResponse,
  Setting,
  SettingName,
} from '@aws-sdk/client-ecs';
import type { Caller, Place } from '../core/place.ts';
import type { OrchestratorContext } from './context.ts';
import { invalidParameter } from './ecs-faults.ts';
import type { Operation } from './model.ts';
import { decodeToken, pageOf, readLimit } from './paging.ts';

export interface AccountSettingOperations {
  PutAccountSetting: Operation<PutAccountSettingRequest, PutAccountSettingResponse>;
  PutAccountSettingDefault: Operation<PutAccountSettingDefaultRequest, PutAccountSettingDefaultResponse>;
  ListAccountSettings: Operation<ListAccountSettingsRequest, ListAccountSettingsResponse>;
  DeleteAccountSetting: Operation<DeleteAccountSettingRequest, DeleteAccountSettingResponse>;
}

const SWITCH = ['enabled', 'disabled', 'on', 'off'];

/** The settings that there are, what each may be, and what it is until somebody sets it (account-settings guide). */
const SETTINGS: Readonly<Record<SettingName, { values: readonly string[] | RegExp; initial: string }>> = {
  awsvpcTrunking: { values: SWITCH, initial: 'disabled' },
  containerInsights: { values: [...SWITCH, 'enhanced'], initial: 'disabled' },
  containerInstanceLongArnFormat: { values: ['enabled'], initial: 'enabled' },
  defaultLogDriverMode: { values: ['blocking', 'non-blocking'], initial: 'non-blocking' },
  fargateEventWindows: { values: SWITCH, initial: 'disabled' },
  fargateFIPSMode: { values: SWITCH, initial: 'disabled' },
  fargateTaskRetirementWaitPeriod: { values: /^(?:0|7|14)$/, initial: '7' },
  guardDutyActivate: { values: SWITCH, initial: 'off' },
  serviceLongArnFormat: { values: ['enabled'], initial: 'enabled' },
  tagResourceAuthorization: { values: ['on', 'off'], initial: 'on' },
  taskLongArnFormat: { values: ['enabled'], initial: 'enabled' },
};

export function createAccountSettings(context: OrchestratorContext): AccountSettingOperations {
  const { meta } = context;

  async function put(caller: Caller, name: SettingName, value: string, principal: string): Promise<Setting> {
    checkName(name);
    const { values } = SETTINGS[name];
    if (name.endsWith('LongArnFormat') && value === 'disabled')
      throw invalidParameter(`You can no longer disable ${name}: every ARN has the long format.`);
    if (!(values instanceof RegExp ? values.test(value) : values.includes(value)))
      throw invalidParameter(
        `The setting '${name}' cannot be '${value.slice(0, 100)}'.${values instanceof RegExp ? '' : ` It can be: ${values.join(', ')}.`}`,
      );
    const { account, region } = caller;
    await meta.transact((transaction) =>
      transaction
        .insertInto('ecs_account_setting')
        .values({ account, region, principal, name, value })
        .onConflict((conflict) => conflict.columns(['account', 'region', 'principal', 'name']).doUpdateSet({ value }))
        .execute(),
    );
    return setting(caller, name, value, principal);
  }

  return {
    PutAccountSetting: async (caller, { name, value, principalArn }) => ({
      setting: await put(caller, name, value, readPrincipal(caller, principalArn)),
    }),
    PutAccountSettingDefault: async (caller, { name, value }) => ({ setting: await put(caller, name, value, '') }),

    async ListAccountSettings(caller, { name, value, principalArn, effectiveSettings, maxResults, nextToken }) {
      const limit = readLimit(maxResults, 10, 10);
      if (name !== undefined) checkName(name);
      if (value !== undefined && name === undefined)
        throw invalidParameter('A value can be asked for together with a name only.');
      const principal = readPrincipal(caller, principalArn);
      const rows = await meta.read
        .selectFrom('ecs_account_setting')
        .select(['principal', 'name', 'value'])
        .where('account', '=', caller.account)
        .where('region', '=', caller.region)
        .where('principal', 'in', ['', principal])
        .execute();
      const own = rows.filter((row) => row.principal === principal);
      const all =
        effectiveSettings === true
          ? Object.entries(SETTINGS).map(([each, { initial }]) => {
              const found = own.find((row) => row.name === each) ?? rows.find((row) => row.name === each);
              return setting(caller, each as SettingName, found?.value ?? initial, principal);
            })
          : own.map((row) => setting(caller, row.name as SettingName, row.value, principal));
      const after = nextToken === undefined ? '' : decodeToken('settings', nextToken, [''])[0];
      const shown = all
        .filter((one) => (name === undefined || one.name === name) && (value === undefined || one.value === value))
        .filter((one) => (one.name ?? '') > after)
        .sort((one, other) => ((one.name ?? '') < (other.name ?? '') ? -1 : 1));
      // Without a page size everything fits into one answer.
      const page = pageOf('settings', shown, maxResults === undefined ? Math.max(limit, shown.length) : limit, (one) => [
        one.name ?? '',
      ]);
      return { settings: page.rows, ...(page.nextToken === undefined ? {} : { nextToken: page.nextToken }) };
    },

    async DeleteAccountSetting(caller, { name, principalArn }) {
      checkName(name);
      const principal = readPrincipal(caller, principalArn);
      const removed = await meta.transact((transaction) =>
        transaction
          .deleteFrom('ecs_account_setting')
          .where('account', '=', caller.account)
          .where('region', '=', caller.region)
          .where('principal', '=', principal)
          .where('name', '=', name)
          .returning('value')
          .executeTakeFirst(),
      );
      return { setting: setting(caller, name, removed?.value ?? (await effectiveSetting(context, caller, name)), principal) };
    },
  };
}

/** What a setting is for a caller: its own, else the account's default, else what AWS has it be. */
export async function effectiveSetting(
  { meta }: Pick<OrchestratorContext, 'meta'>,
  caller: Caller,
  name: SettingName,
): Promise<string> {
  const rows = await meta.read
    .selectFrom('ecs_account_setting')
    .select(['principal', 'value'])
    .where('account', '=', caller.account)
    .where('region', '=', caller.region)
    .where('principal', 'in', ['', caller.principal])
    .where('name', '=', name)
    .execute();
  const found = rows.find(({ principal }) => principal !== '') ?? rows[0];
  return found?.value ?? SETTINGS[name].initial;
}

function setting(place: Place, name: SettingName, value: string, principal: string): Setting {
  return {
    name,
    value,
    principalArn: principal === '' ? rootArn(place) : principal,
    type: name === 'guardDutyActivate' ? 'aws_managed' : 'user',
  };
}

/** The account itself stands for the default of everybody in it. */
function readPrincipal(caller: Caller, arn: string | undefined): string {
  if (arn === undefined) return caller.principal;
  if (!/^arn:aws[a-z-]*:iam::[0-9]{12}:(?:root|user\/.+|role\/.+)$/.test(arn))
    throw invalidParameter('The ARN provided is invalid.');
  return arn === rootArn(caller) ? '' : arn;
}

function rootArn({ account }: Place): string {
  return `arn:aws:iam::${account}:root`;
}

function checkName(name: string): void {
  if (!Object.hasOwn(SETTINGS, name))
    throw invalidParameter(`There is no setting '${name}'. There are: ${Object.keys(SETTINGS).join(', ')}.`);
}
