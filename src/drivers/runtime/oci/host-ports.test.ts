import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { createHostPorts, type HostPorts } from './host-ports.ts';

function open(test: TestContext): HostPorts {
  const ports = createHostPorts();
  test.after(() => ports.close());
  return ports;
}

for (const protocol of ['tcp', 'udp'] as const) {
  const any = [{ containerPort: 80, protocol }];

  it(`two servers on one machine never publish at the same ${protocol} port`, async (test) => {
    const [one, other] = [open(test), open(test)];
    const [first] = await one.claim(any);
    const [second] = await other.claim(any);
    assert.ok(first !== undefined && second !== undefined);
    assert.notEqual(first.hostPort, second.hostPort);
    const fixed = [{ containerPort: 80, hostPort: first.hostPort, protocol }];
    await assert.rejects(other.claim(fixed), /port is already allocated/);
    one.release([first]);
    // The next turn: a port is given back when what was claimed is known.
    await new Promise(setImmediate);
    assert.deepEqual(await other.claim(fixed), [{ ...fixed[0], bindIp: '0.0.0.0' }]);
  });

  it(`a server that comes back has its ${protocol} ports again, and leaves none when it ends`, async (test) => {
    const before = open(test);
    const bindings = await before.claim([...any, ...any]);
    before.close();
    await new Promise(setImmediate);
    const after = open(test);
    after.take(bindings);
    await assert.rejects(open(test).claim([{ ...bindings[0], containerPort: 80, protocol }]), /already allocated/);
    after.close();
    await new Promise(setImmediate);
    assert.equal((await open(test).claim([{ ...bindings[0], containerPort: 80, protocol }])).length, 1);
  });
}
