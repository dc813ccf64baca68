import { once } from 'node:events';
import type { Server } from 'node:http';
import { isIP } from 'node:net';
import { describeCauses, type Logger } from '../../core/logger.ts';

export interface MetadataListeners {
  /** The beginning of a URL at which containers reach the metadata endpoint by this address; `undefined` when they cannot. */
  reach(hostAddress: string): Promise<string | undefined>;
  close(): Promise<void>;
}

/**
 * Containers in a network of their own cannot reach a server that listens on 127.0.0.1. For each address by which they
 * see this machine, a listener of its own serves the metadata endpoint and nothing else, on the same port: so the URL is
 * the same after a restart, and no more of the server can be reached than they need.
 */
export function createMetadataListeners({
  host,
  port,
  openServer,
  log,
}: {
  /** Where the main server listens: it answers the endpoint too. */
  host: string;
  port: number;
  /** Makes a server that answers the metadata endpoint only. */
  openServer: () => Server;
  log: Logger;
}): MetadataListeners {
  const servers = new Map<string, Promise<Server | undefined>>();
  const isMain = (address: string): boolean => host === '0.0.0.0' || host === '::' || host === address;

  const listen = async (address: string): Promise<Server | undefined> => {
    const server = openServer();
    server.listen({ host: address, port, exclusive: true });
    try {
      await once(server, 'listening');
      server.unref();
      return server;
    } catch (error) {
      log.warn('containers cannot reach the metadata endpoint: its address cannot be listened on', {
        address,
        port,
        causes: describeCauses(error),
      });
      servers.delete(address);
      return undefined;
    }
  };

  return {
    async reach(hostAddress) {
      if (isIP(hostAddress) !== 4) return undefined;
      const url = `http://${hostAddress}:${port}`;
      if (isMain(hostAddress)) return url;
      let server = servers.get(hostAddress);
      if (server === undefined) {
        server = listen(hostAddress);
        servers.set(hostAddress, server);
      }
      return (await server) === undefined ? undefined : url;
    },
    async close() {
      const open = await Promise.all(servers.values());
      servers.clear();
      for (const server of open) {
        if (server === undefined) continue;
        server.close();
        server.closeAllConnections();
      }
    },
  };
}
