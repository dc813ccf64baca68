import { request } from 'node:http';

/** How long an engine may take to say that it is there, in milliseconds. */
const PATIENCE_MS = 2_000;

/** Where engines listen: the one that DOCKER_HOST names and no other, else Docker's own place and Podman's. */
export function socketPaths(dockerHost: string | undefined): string[] {
  if (dockerHost === undefined || dockerHost === '') return ['/var/run/docker.sock', '/run/podman/podman.sock'];
  return dockerHost.startsWith('unix://') ? [dockerHost.slice('unix://'.length)] : [];
}

/** The first of the sockets on which an engine answers its ping; `undefined` when none does. */
export async function findSocket(paths: string[]): Promise<string | undefined> {
  for (const path of paths) if (await answers(path)) return path;
  return undefined;
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const ping = request(
      { socketPath, path: '/_ping', headers: { Host: 'docker' }, timeout: PATIENCE_MS, agent: false },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    ping.on('timeout', () => ping.destroy(new Error('no answer in time')));
    // Nobody is there, or nobody who may be asked: it is not an engine for us.
    ping.on('error', () => resolve(false));
    ping.end();
  });
}
