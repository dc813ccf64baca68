import { createDockerConfigSource } from './client/credentials/docker-config.ts';
import { createKeychain, type Keychain } from './client/credentials/keychain.ts';
import { createLoginClients } from './client/login-clients.ts';
import { createRegistryClient, type RegistryClient } from './client/registry-client.ts';
import { configPaths } from './cli/pin-client.ts';
import { holdfastVersion } from './cli/version.ts';
import type { ServerConfig } from './config.ts';
import type { Clock } from './core/clock.ts';
import type { IdSource } from './core/ids.ts';
import type { Logger } from './core/logger.ts';
import type { MetaStore } from './core/meta-store.ts';
import type { Place } from './core/place.ts';
import { parseReference } from './core/reference.ts';
import type { Timers } from './core/timers.ts';
import type { OrchestratorTables } from './orchestrator/context.ts';
import { createOrchestrator } from './orchestrator/create-orchestrator.ts';
import { createServicePart } from './orchestrator/create-service-part.ts';
import type { Orchestrator } from './orchestrator/orchestrator.ts';
import type { Registry } from './registry/registry.ts';
import { createImageSource } from './serve-images.ts';
import { openRuntime } from './serve-runtime.ts';
import type { HttpHandler } from './wire/http/context.ts';
import { sendText } from './wire/http/send.ts';
import { createHttpServer } from './wire/http/server.ts';
import { createMetadataHandler } from './wire/metadata/handler.ts';
import { createMetadataListeners, type MetadataListeners } from './wire/metadata/listeners.ts';

/** The orchestrator of a server, with what runs its tasks. */
export interface OpenedOrchestrator {
  orchestrator: Orchestrator;
  /** What containers ask of their own tasks; absent where there are no containers. */
  metadata?: HttpHandler;
  /** Takes up what ran before, once the server can be reached: by which name, and with which key. */
  start(address: { registryHost: string; port: number; key?: { accessKeyId: string; secretAccessKey: string } }): Promise<void>;
  /** Lets go of the runtime too; tasks run on. */
  close(): Promise<void>;
}

interface Parts {
  meta: MetaStore<OrchestratorTables>;
  registry: Registry;
  clock: Clock;
  ids: IdSource;
  timers: Timers;
  log: Logger;
  readSecret(place: Place, name: string): Promise<string | undefined>;
}

type Address = Parameters<OpenedOrchestrator['start']>[0];

const HELPER_TIMEOUT_MS = 30_000;

/** Raises an Error that says what to do when the runtime that was asked for is not there. */
export async function openOrchestrator(config: ServerConfig, parts: Parts): Promise<OpenedOrchestrator> {
  const { clock, registry, log } = parts;
  let address: Address | undefined;

  const docker = createDockerConfigSource(configPaths(process.env), { environment: process.env, timeout: HELPER_TIMEOUT_MS });
  const keychain = createKeychain([docker], clock, (message) => log.warn(message));
  const privateHosts = await docker.hosts().catch(() => []);
  const clientWith = (logins: Keychain): RegistryClient =>
    createRegistryClient(
      { keychain: logins, clock, wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)) },
      { userAgent: `holdfast/${holdfastVersion()}`, privateHosts },
    );
  const client = clientWith(keychain);
  const logins = createLoginClients(clientWith);
  const ownRegistry = (host: string): Place | undefined => placeOfHost(host, config, address);
  let metadata: HttpHandler | undefined;
  const listenersAt = (port: number): MetadataListeners =>
    createMetadataListeners({
      host: config.host,
      port,
      openServer: () => createHttpServer({ handlers: { oci: nothing, aws: nothing, metadata: metadata ?? nothing }, ...parts }),
      log,
    });
  // A port that is chosen by the machine is known only when the server listens; nothing from before leads to it.
  let listeners = config.port === 0 ? undefined : listenersAt(config.port);
  const { runtime, supervisor } = await openRuntime(config, {
    ...parts,
    images: createImageSource({ registry, client, logins, ownRegistry }),
    pullFrom: (reference) => {
      const { host } = parseReference(reference);
      if (ownRegistry(host) === undefined || address === undefined) return reference;
      return `127.0.0.1:${address.port}${reference.slice(host.length)}`;
    },
    serverAddress: async (hostAddress) => listeners?.reach(hostAddress),
    env: process.env,
  });

  const orchestrator = createOrchestrator(
    {
      ...parts,
      runtime,
      ownRegistry,
      resolver: {
        resolve: (reference, login) => (login === undefined ? client : logins.get(reference.host, login)).resolve(reference),
      },
      settings: {
        settleMs: config.settleMs,
        resolve: config.resolve,
        taskImage: config.taskImage,
        unpackedKeepMs: config.unpackedKeepMs,
        unpackedMostBytes: config.unpackedMostBytes,
      },
      async pullCredentials(reference) {
        const { host } = parseReference(reference);
        if (ownRegistry(host) !== undefined)
          return address?.key && { username: address.key.accessKeyId, password: address.key.secretAccessKey };
        const login = await keychain.find(host);
        return login?.kind === 'password' ? { username: login.username, password: login.password } : undefined;
      },
    },
    createServicePart,
  );
  if (supervisor !== undefined) {
    const [region = ''] = config.regions;
    metadata = createMetadataHandler({ supervisor, protection: orchestrator.operations, clock, availabilityZone: `${region}a` });
  }
  return {
    orchestrator,
    ...(metadata === undefined ? {} : { metadata }),
    async start(reached) {
      address = reached;
      listeners ??= listenersAt(reached.port);
      await orchestrator.start();
    },
    async close() {
      await orchestrator.close();
      await listeners?.close();
      await runtime.close();
      client.close();
      logins.close();
    },
  };
}

/** What the listeners for containers answer to everything else. */
const nothing: HttpHandler = (_request, response) => {
  sendText(response, 404, 'Nothing is here.\n');
  return Promise.resolve();
};

const REGIONAL = /^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]{1,64})\./;

/** The part of this server's registry that a host name of an image leads to; undefined for any other registry. */
function placeOfHost(
  host: string,
  { accountId, regions, publicHost }: ServerConfig,
  address: Address | undefined,
): Place | undefined {
  const [, account, region] = REGIONAL.exec(host) ?? [];
  if (account !== undefined && region !== undefined)
    return account === accountId && regions.includes(region) ? { account, region } : undefined;
  const own = [
    ...(publicHost === undefined ? [] : [publicHost]),
    ...(address === undefined
      ? []
      : [address.registryHost, ...['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${address.port}`)]),
  ];
  return own.includes(host) ? { account: accountId, region: regions[0] ?? '' } : undefined;
}
