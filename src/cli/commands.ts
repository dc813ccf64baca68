import type { Command } from './command.ts';
import { cruCommand } from './cru.ts';
import { doctor } from './doctor.ts';
import { pinCommand } from './pin.ts';

/** Every command that talks to a terminal, in the order of the help; `serve` is the front door's own. */
export const commands: Command[] = [pinCommand, cruCommand, doctor];
