import { resolve } from 'node:path';
import { CommandFailure, jsonOption, UsageError, writeJson, writeLine, type Command, type CommandContext } from './command.ts';
import type { Check } from './doctor/check.ts';
import { judgeAws } from './doctor/clients.ts';
import {
  answeringSocket,
  bundledNode,
  cgroupLayout,
  engineSockets,
  findProgram,
  fuseState,
  lookAtDataFolder,
  portState,
  printedVersion,
} from './doctor/look.ts';
import { judgeClock, judgeDataFolder, judgeDisk, judgeFuse, judgePort, judgeUser } from './doctor/machine.ts';
import { judgeBundledNode, judgeNode, judgeSqlite } from './doctor/node.ts';
import { judgeCgroups, judgeEngine, judgeRuntimes, judgeTool } from './doctor/runtimes.ts';
import { wrap } from './help.ts';

/** `holdfast doctor`: what the machine has and lacks, and what to do about each. */
export const doctor: Command = {
  name: 'doctor',
  summary: 'say what this machine has and lacks, and what to do about it',
  usage: ['doctor [--json]'],
  options: { json: jsonOption },
  examples: [
    ['holdfast doctor', 'look at everything'],
    [`holdfast doctor --json | jq '.checks[] | select(.status != "ok")'`, 'only what is not as it should be'],
  ],
  async run(context, options, operands) {
    if (operands.length > 0) throw new UsageError('doctor looks at everything, and takes no words.');
    const checks = await examine(context);
    const ok = checks.every(({ status, needed }) => status !== 'missing' || !needed);
    if (options['json'] === true) writeJson(context.stdout, { ok, checks });
    else printChecks(context, checks, ok);
    return ok ? 0 : 1;
  },
};

async function examine(context: CommandContext): Promise<Check[]> {
  const { env } = context;
  const data = resolve(context.cwd, env['HOLDFAST_DATA'] ?? '.holdfast');
  const host = env['HOLDFAST_HOST'] ?? '127.0.0.1';
  const port = Number(env['HOLDFAST_PORT'] ?? 4600);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new CommandFailure(`HOLDFAST_PORT is "${env['HOLDFAST_PORT']}", and a port is a number from 0 to 65535.`);
  }
  const program = (name: string): Promise<string | undefined> => findProgram(name, env['PATH']);
  const version = async (name: string): Promise<string | undefined> => printedVersion(await program(name));

  const [node, crun, runc, docker, podman, dockerSocket, podmanSocket, cgroups, fuse, folder, listening, ip, nft, setfattr, aws] =
    await Promise.all([
      bundledNode(),
      version('crun'),
      version('runc'),
      version('docker'),
      version('podman'),
      answeringSocket(engineSockets('docker', env)),
      answeringSocket(engineSockets('podman', env)),
      cgroupLayout(),
      fuseState(),
      lookAtDataFolder(data),
      portState(host, port),
      program('ip'),
      program('nft'),
      program('setfattr'),
      // A large Python program: it takes a second where others take a hundredth.
      program('aws').then(async (path) => judgeAws(path, await printedVersion(path, 10_000))),
    ]);
  return [
    judgeNode(process.version),
    judgeBundledNode(node),
    judgeSqlite(await sqliteVersion()),
    judgeDataFolder(data, folder.state),
    judgeDisk(data, folder.free, folder.total),
    judgeClock(context.now(), folder.newest),
    judgePort(host, port, listening),
    judgeUser(process.getuid?.()),
    ...judgeRuntimes({ ...(crun === undefined ? {} : { crun }), ...(runc === undefined ? {} : { runc }) }),
    judgeCgroups(cgroups, crun, runc),
    judgeTool('ip', ip, 'Tasks get their own network with it.', 'iproute2'),
    judgeTool('nft', nft, 'Tasks reach the outside with it.', 'nftables'),
    judgeTool('setfattr', setfattr, 'Programs in images keep their file capabilities with it.', 'attr'),
    judgeEngine('docker', docker, dockerSocket),
    judgeEngine('podman', podman, podmanSocket),
    judgeFuse(fuse),
    aws,
  ];
}

/** Asked of the library itself; loaded here, as no other command of the terminal needs it. An old Node has none. */
async function sqliteVersion(): Promise<string> {
  try {
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(':memory:');
    const row = database.prepare('select sqlite_version() as version').get();
    database.close();
    return String(row?.['version']);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_UNKNOWN_BUILTIN_MODULE') return 'none in this Node';
    throw error;
  }
}

const marks: Record<Check['status'], string> = { ok: 'ok', warning: 'warning', missing: 'MISSING' };

function printChecks(context: CommandContext, checks: Check[], ok: boolean): void {
  const colour = context.stdout.isTTY === true && (context.env['NO_COLOR'] ?? '') === '';
  const colours: Record<Check['status'], string> = { ok: '32', warning: '33', missing: '31' };
  const indent = ' '.repeat(9);
  for (const { name, status, found, advice } of checks) {
    const mark = marks[status].padEnd(7);
    writeLine(context.stdout, `${colour ? `\x1b[${colours[status]}m${mark}\x1b[0m` : mark}  ${name.padEnd(13)}  ${found}`);
    for (const line of advice === undefined ? [] : wrap(advice, 80)) writeLine(context.stdout, `${indent}${line}`);
  }
  writeLine(context.stdout);
  writeLine(
    context.stdout,
    ok
      ? 'The server has what it needs.'
      : 'The server cannot run before what is MISSING among Node, SQLite, data folder, disk, clock and port is there.',
  );
}
