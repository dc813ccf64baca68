/** CPU units and MiB. */
export interface Use {
  cpu: number;
  memory: number;
}

/**
 * What the tasks of a host take of it, or more: never less. Summing it up reads every task of the host, which would make each start
 * dearer by all that were started before; so the sum is remembered, what is started is added, and only when that leaves no room is it
 * summed up again, without what has ended meanwhile.
 */
export interface HostUse {
  /** Undefined until it was summed up. */
  atMost(hostId: string): Use | undefined;
  /** Inside the transaction that summed it up, which no other one goes beside. */
  set(hostId: string, use: Use): void;
  /** Before the row of the task that takes it is written. */
  add(hostId: string, use: Use): void;
}

export function createHostUse(): HostUse {
  const known = new Map<string, Use>();
  return {
    atMost: (hostId) => known.get(hostId),
    set: (hostId, { cpu, memory }) => void known.set(hostId, { cpu, memory }),
    add(hostId, { cpu, memory }) {
      const use = known.get(hostId);
      if (use === undefined) return;
      use.cpu += cpu;
      use.memory += memory;
    },
  };
}
