import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reviveDates, writeDates } from './dates.ts';
import { CREATED_AT } from './shapes/deployment.ts';

test('times are seconds with milliseconds on the wire, and Dates behind it', () => {
  assert.deepEqual(reviveDates(CREATED_AT, { after: 1557128360.711 }), { after: new Date(1557128360711) });
  const written = writeDates({ at: new Date(1557128360711), list: [{ at: new Date(0) }], text: 'x', gone: undefined });
  assert.equal(JSON.stringify(written), '{"at":1557128360.711,"list":[{"at":0}],"text":"x"}');
});
