import type { TaskRuntime } from '../../orchestrator/ports.ts';

/** For a server that is a registry only: it has no host, so that no task finds a place. */
export function createNoRuntime(): TaskRuntime {
  return {
    name: 'none',
    hosts: async () => [],
    observe() {},
    async start() {
      throw new Error('this server runs no containers: HOLDFAST_RUNTIME is none');
    },
    async stop() {},
    list: async () => [],
    async forget() {},
    async *logs() {},
    stats: async () => undefined,
    async close() {},
  };
}
