import type { Command } from './command.ts';
import { doctor } from './doctor.ts';

/** Every command that talks to a terminal, in the order of the help; `serve` is the front door's own. */
export const commands: Command[] = [doctor];
