import type {
  BatchGetRepositoryScanningConfigurationRequest,
  BatchGetRepositoryScanningConfigurationResponse,
  DescribeRegistryRequest,
  DescribeRegistryResponse,
  GetAccountSettingRequest,
  GetAccountSettingResponse,
  GetRegistryScanningConfigurationRequest,
  GetRegistryScanningConfigurationResponse,
  PutAccountSettingRequest,
  PutAccountSettingResponse,
  PutRegistryScanningConfigurationRequest,
  PutRegistryScanningConfigurationResponse,
  RepositoryScanningConfiguration,
  RepositoryScanningConfigurationFailure,
} from '@aws-sdk/client-ecr';
import { Fault } from '../../core/fault.ts';
import { repositoryArn } from '../../core/place.ts';
import { parseRepositoryName } from '../../core/repository-name.ts';
import type { Input } from '../aws/shape.ts';
import { onRegistry, type EcrCall } from './operation.ts';
import { describeRepositoryScanning, type ScanningConfiguration } from './scanning-configuration.ts';
import { pattern, REPOSITORY_NAME } from './shapes.ts';

const SCANNING_CONFIGURATION = 'scanning-configuration';
const FILTER_PATTERN = '^[a-z0-9*](?:[._\\-/a-z0-9*]?[a-z0-9*]+)*$';
// The same language as the pattern that messages quote, without its backtracking.
const FILTER = /^[a-z0-9*](?:[a-z0-9*]|[._\-/](?=[a-z0-9*]))*$/;

/** The settings that there are, what each may be, and what it is until somebody sets it. */
const ACCOUNT_SETTINGS: Readonly<Record<string, { values: readonly string[]; initial: string }>> = {
  BASIC_SCAN_TYPE_VERSION: { values: ['AWS_NATIVE'], initial: 'AWS_NATIVE' },
  REGISTRY_POLICY_SCOPE: { values: ['V2'], initial: 'V2' },
  // AWS begins with DISABLED; mounting saves every client an upload, and the OCI specification expects it.
  BLOB_MOUNTING: { values: ['ENABLED', 'DISABLED'], initial: 'ENABLED' },
};

const describeRegistry = onRegistry<DescribeRegistryRequest, DescribeRegistryResponse>(
  'DescribeRegistry',
  { type: 'structure', members: {} },
  async (_input, call) => ({
    registryId: call.caller.account,
    replicationConfiguration: { rules: [] },
  }),
);

const getAccountSetting = onRegistry<GetAccountSettingRequest, GetAccountSettingResponse>(
  'GetAccountSetting',
  { type: 'structure', members: { name: { type: 'string', min: 1, max: 64, required: true } } },
  async ({ name }, call) => {
    const { initial } = findSetting(name);
    return { name, value: (await call.registry.settings.get(call.caller, `account:${name}`)) ?? initial };
  },
);

const putAccountSetting = onRegistry<PutAccountSettingRequest, PutAccountSettingResponse>(
  'PutAccountSetting',
  {
    type: 'structure',
    members: { name: { type: 'string', min: 1, max: 64, required: true }, value: { type: 'string', max: 256, required: true } },
  },
  async ({ name, value }, call) => {
    const { values } = findSetting(name);
    if (!values.includes(value))
      throw new Fault('request-invalid', {
        reason: `The account setting '${name}' cannot be '${value}'. It can be: ${values.join(', ')}`,
      });
    await call.registry.settings.set(call.caller, `account:${name}`, value);
    return { name, value };
  },
);

const putRegistryScanningConfiguration = onRegistry<
  PutRegistryScanningConfigurationRequest,
  PutRegistryScanningConfigurationResponse
>(
  'PutRegistryScanningConfiguration',
  {
    type: 'structure',
    members: {
      scanType: { type: 'string', enum: ['BASIC', 'ENHANCED'] },
      rules: {
        type: 'list',
        min: 0,
        max: 2,
        of: {
          type: 'structure',
          members: {
            scanFrequency: { type: 'string', enum: ['SCAN_ON_PUSH', 'CONTINUOUS_SCAN', 'MANUAL'], required: true },
            repositoryFilters: {
              type: 'list',
              min: 0,
              max: 100,
              required: true,
              of: {
                type: 'structure',
                members: {
                  filter: { type: 'string', min: 1, max: 255, pattern: pattern(FILTER, FILTER_PATTERN), required: true },
                  filterType: { type: 'string', enum: ['WILDCARD'], required: true },
                },
              },
            },
          },
        },
      },
    },
  },
  async (input, call) => {
    const before = await readScanning(call);
    const configuration: ScanningConfiguration = {
      scanType: input.scanType ?? before.scanType,
      rules: input.rules ?? before.rules,
    };
    const frequencies = configuration.rules.map((rule) => rule.scanFrequency);
    if (new Set(frequencies).size < frequencies.length)
      throw new Fault('request-invalid', { reason: 'Each scan frequency can have one rule' });
    if (configuration.scanType === 'BASIC' && frequencies.includes('CONTINUOUS_SCAN')) {
      throw new Fault('request-invalid', { reason: 'The scan frequency CONTINUOUS_SCAN belongs to the scan type ENHANCED' });
    }
    await call.registry.settings.set(call.caller, SCANNING_CONFIGURATION, JSON.stringify(configuration));
    return { registryScanningConfiguration: configuration };
  },
);

const getRegistryScanningConfiguration = onRegistry<
  GetRegistryScanningConfigurationRequest,
  GetRegistryScanningConfigurationResponse
>('GetRegistryScanningConfiguration', { type: 'structure', members: {} }, async (_input, call) => ({
  registryId: call.caller.account,
  scanningConfiguration: await readScanning(call),
}));

const batchGetRepositoryScanningConfiguration = onRegistry<
  BatchGetRepositoryScanningConfigurationRequest,
  BatchGetRepositoryScanningConfigurationResponse
>(
  'BatchGetRepositoryScanningConfiguration',
  { type: 'structure', members: { repositoryNames: { type: 'list', of: REPOSITORY_NAME, min: 1, max: 25, required: true } } },
  async (input, call, action) => {
    const configuration = await readScanning(call);
    const scanningConfigurations: Input<RepositoryScanningConfiguration>[] = [];
    const failures: RepositoryScanningConfigurationFailure[] = [];
    for (const repositoryName of new Set(input.repositoryNames)) {
      const name = parseRepositoryName(repositoryName);
      const repository = await call.registry.repositories.find(call.caller, name);
      await call.authorize(action, repository ?? repositoryArn(call.caller, name));
      if (repository === undefined)
        failures.push({ repositoryName, failureCode: 'REPOSITORY_NOT_FOUND', failureReason: 'REPOSITORY_NOT_FOUND' });
      else scanningConfigurations.push(describeRepositoryScanning(repository, configuration));
    }
    return { scanningConfigurations, failures };
  },
  { authorizes: 'itself' },
);

export const settingOperations = {
  DescribeRegistry: describeRegistry,
  GetAccountSetting: getAccountSetting,
  PutAccountSetting: putAccountSetting,
  PutRegistryScanningConfiguration: putRegistryScanningConfiguration,
  GetRegistryScanningConfiguration: getRegistryScanningConfiguration,
  BatchGetRepositoryScanningConfiguration: batchGetRepositoryScanningConfiguration,
};

function findSetting(name: string): { values: readonly string[]; initial: string } {
  const setting = Object.hasOwn(ACCOUNT_SETTINGS, name) ? ACCOUNT_SETTINGS[name] : undefined;
  if (setting === undefined)
    throw new Fault('request-invalid', {
      reason: `There is no account setting '${name}'. There are: ${Object.keys(ACCOUNT_SETTINGS).join(', ')}`,
    });
  return setting;
}

async function readScanning(call: EcrCall): Promise<ScanningConfiguration> {
  const text = await call.registry.settings.get(call.caller, SCANNING_CONFIGURATION);
  return text === undefined ? { scanType: 'BASIC', rules: [] } : (JSON.parse(text) as ScanningConfiguration);
}
