import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Cleanup } from './cleanup.ts';
import { temporaryFolder, writeTree } from './image-source.ts';

export interface KubeApi {
  /** For a shell in which `kubectl` has this cluster as its current context. */
  readonly env: Readonly<Record<string, string>>;
  /** How often pods were asked for. */
  asked: number;
  /** What the cluster runs, in pages as it wishes; or how it answers instead. */
  pods: object[] | ((response: ServerResponse) => void);
}

const PAGE = 2;

/** As much of a Kubernetes API server as `kubectl get pods` asks for: discovery, and a list that comes in pages. */
export async function startKubeApi(test: Cleanup): Promise<KubeApi> {
  const api: { -readonly [K in keyof KubeApi]: KubeApi[K] } = { env: {}, asked: 0, pods: [] };
  const server = createServer((request, response) => answer(api, request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  test.after(() => new Promise<void>((resolve) => server.close(() => resolve()).closeAllConnections()));
  const { port } = server.address() as AddressInfo;
  const folder = await temporaryFolder(test);
  const config = {
    'apiVersion': 'v1',
    'kind': 'Config',
    'current-context': 'test',
    'clusters': [{ name: 'test', cluster: { server: `http://127.0.0.1:${port}` } }],
    'contexts': [{ name: 'test', context: { cluster: 'test' } }],
  };
  await writeTree(folder, { config: JSON.stringify(config) });
  api.env = { KUBECONFIG: join(folder, 'config') };
  return api;
}

function answer(api: KubeApi, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://kube');
  const send = (document: object, status = 200): void => {
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(document));
  };
  switch (url.pathname) {
    case '/version':
      return send({ major: '1', minor: '32', gitVersion: 'v1.32.0' });
    case '/api':
      return send({ kind: 'APIVersions', versions: ['v1'] });
    case '/apis':
      return send({ kind: 'APIGroupList', apiVersion: 'v1', groups: [] });
    case '/api/v1': {
      const pods = {
        name: 'pods',
        singularName: 'pod',
        namespaced: true,
        kind: 'Pod',
        shortNames: ['po'],
        verbs: ['get', 'list'],
      };
      return send({ kind: 'APIResourceList', groupVersion: 'v1', resources: [pods] });
    }
    case '/api/v1/pods': {
      api.asked++;
      if (typeof api.pods === 'function') return api.pods(response);
      const from = Number(url.searchParams.get('continue') ?? 0);
      const next = from + PAGE < api.pods.length ? { continue: String(from + PAGE) } : {};
      const items = api.pods.slice(from, from + PAGE);
      return send({ kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: '1', ...next }, items });
    }
    default:
      return send({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 }, 404);
  }
}
