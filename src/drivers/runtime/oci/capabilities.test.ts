import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseCapabilities, parseBounds } from './capabilities.ts';

const bounds = parseBounds('Name:\tx\nCapBnd:\t000001fffeffffff\n');

describe('capabilities', () => {
  it('are those that the machine has to give', () => {
    assert.deepEqual([bounds.has('SYS_RESOURCE'), bounds.has('CHOWN'), bounds.has('CHECKPOINT_RESTORE')], [false, true, true]);
    assert.ok(!chooseCapabilities([], [], true, bounds).includes('CAP_SYS_RESOURCE'));
    assert.ok(chooseCapabilities(['ALL'], ['CHOWN'], false, bounds).includes('CAP_SYS_ADMIN'));
    assert.deepEqual(chooseCapabilities(['CAP_sys_time'], ['ALL'], false, bounds), ['CAP_SYS_TIME']);
  });

  it('cannot be added where the machine lacks them', () => {
    assert.throws(() => chooseCapabilities(['SYS_RESOURCE'], [], false, bounds), /SYS_RESOURCE cannot be added/);
  });
});
