import { frontDoor, rooms } from '../../layers.ts';
import { markdownTable } from './markdown.ts';

/** The table of docs/ARCHITECTURE.md: who may import whom. */
export function roomsTable(): string {
  const worlds = { none: 'nothing of the machine', network: 'the network', all: 'the machine' };
  const rows = rooms.map((room) => [
    `\`${room.folder}/\``,
    room.owns,
    [...room.imports, ...(room.portsOf ?? []).map((name) => `types of ${name}/ports.ts`)].join(', ') || 'nothing',
    (room.packages ?? []).join(', '),
    worlds[room.world],
  ]);
  rows.push([frontDoor.map((file) => `\`${file}\``).join(', '), 'the front door', 'every room and driver', '', 'the machine']);
  return markdownTable(['Room', 'Owns', 'May import', 'Packages', 'May touch'], rows);
}
