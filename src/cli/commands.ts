import type { Command } from './command.ts';
import { cruCommand } from './cru.ts';
import { demoCommand } from './demo.ts';
import { deployments } from './deployments.ts';
import { doctor } from './doctor.ts';
import { envCommand } from './env.ts';
import { gcCommand } from './gc.ts';
import { holdCommand } from './hold.ts';
import { imagesCommand } from './images.ts';
import { inUseCommand } from './in-use.ts';
import { keyCommand } from './key.ts';
import { logs } from './logs.ts';
import { lifecycleCommand } from './lifecycle.ts';
import { pinCommand } from './pin.ts';
import { ps } from './ps.ts';
import { pushCommand } from './push.ts';
import { repositoryCommand } from './repository.ts';
import { rollback } from './rollback.ts';
import { secretCommand } from './secret.ts';
import { tagsCommand } from './tags.ts';

/** Every command that talks to a terminal, in the order of the help; `serve` is the front door's own. */
export const commands: Command[] = [
  envCommand,
  pushCommand,
  keyCommand,
  secretCommand,
  repositoryCommand,
  tagsCommand,
  imagesCommand,
  holdCommand,
  lifecycleCommand,
  inUseCommand,
  gcCommand,
  ps,
  logs,
  deployments,
  rollback,
  pinCommand,
  cruCommand,
  doctor,
  demoCommand,
];
