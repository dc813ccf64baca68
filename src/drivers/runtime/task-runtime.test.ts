import { createManualClock } from '../../core/clock.ts';
import { digestOf } from '../../core/digest.ts';
import { createManualTimers } from '../../core/timers.ts';
import { openWorld } from '../../orchestrator/supervise/testing.ts';
import { testTaskRuntime } from '../../orchestrator/task-runtime.contract.ts';
import { createSimulatedRuntime } from './simulated.ts';

const imageOf = (name: string) => ({ written: `${name}:1`, reference: `${name}:1` });
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
};

testTaskRuntime('the supervisor, on a machine that is only remembered,', async () => {
  const world = await openWorld();
  world.image('endless');
  world.image('ending', { exitsAtOnce: 3 });
  return {
    runtime: world.supervisor,
    endless: imageOf('endless'),
    ending: imageOf('ending'),
    missing: imageOf('missing'),
    digest: digestOf('endless'),
    pass: () => world.advance(100),
  };
});

testTaskRuntime('the simulation', async () => {
  const clock = createManualClock(1_700_000_000_000);
  const timers = createManualTimers(clock);
  const runtime = createSimulatedRuntime({
    clock,
    timers,
    resolve: ({ reference }) =>
      Promise.resolve(reference === 'missing:1' ? { failure: 'not found' } : { digest: digestOf(reference.split(':')[0] ?? '') }),
    behaviour: (image) => (image === 'ending:1' ? { exitAfter: 1, exitCode: 3 } : {}),
  });
  return {
    runtime,
    endless: imageOf('endless'),
    ending: imageOf('ending'),
    missing: imageOf('missing'),
    digest: digestOf('endless'),
    async pass() {
      await timers.advance(10, settle);
      await settle();
    },
  };
});
