import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStatsHistory } from './stats-response.ts';

test('stats say what was used at the look before, and how fast the network is', () => {
  const withHistory = createStatsHistory();
  const stats = (total_usage: number, rx_bytes: number) => ({
    read: `at ${total_usage}`,
    cpu_stats: { cpu_usage: { total_usage } },
    networks: { eth0: { rx_bytes, tx_bytes: 0 } },
  });
  const first = withHistory('a', stats(5, 100), 1000);
  assert.equal(first['preread'], '0001-01-01T00:00:00Z');
  assert.equal((first['precpu_stats'] as { cpu_usage: { total_usage: number } }).cpu_usage.total_usage, 0);
  const second = withHistory('a', stats(9, 300), 3000);
  assert.deepEqual([second['preread'], second['precpu_stats']], ['at 5', { cpu_usage: { total_usage: 5 } }]);
  assert.deepEqual(second['network_rate_stats'], { rx_bytes_per_sec: 100, tx_bytes_per_sec: 0 });
  assert.equal(withHistory('b', stats(9, 300), 3000)['preread'], '0001-01-01T00:00:00Z');
});

test('what the engine has remembered itself stays', () => {
  const own = { read: 'now', cpu_stats: {}, preread: 'before', precpu_stats: { own: true } };
  assert.deepEqual(createStatsHistory()('a', own, 0), own);
});
