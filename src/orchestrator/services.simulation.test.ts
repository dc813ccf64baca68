import { it } from 'node:test';
import { playHistory } from '../../test/support/service-history.ts';

const isSoak = process.env['HOLDFAST_SOAK'] === '1';
const FIRST = Number(process.env['HOLDFAST_SOAK_FROM'] ?? 1);
const HISTORIES = isSoak ? 400 : 3;
const EVENTS = isSoak ? 40 : 25;

it(`${HISTORIES} random histories of a service, its server killed at any step, the clock set now and then`, async () => {
  for (let seed = FIRST; seed < FIRST + HISTORIES; seed++) await playHistory(seed, EVENTS);
});
