/**
 * Who may import whom. The linter's fences (oxlint.config.ts) are made from this table, and a test holds the table in
 * docs/ARCHITECTURE.md against it. Type-only imports count. Test files may import anything.
 */
export interface Room {
  /** Below src/. */
  folder: string;
  /** What it owns, in a few words. */
  owns: string;
  /** Rooms that it may import, beside itself. */
  imports: string[];
  /** Rooms of whose port files it may import types: the sockets that it plugs into. */
  portsOf?: string[];
  /** npm packages that it may import. */
  packages?: string[];
  /**
   * `none`: data in, data out; no file, no socket, no process. `network`: it speaks, but keeps nothing. `all`: it touches
   * the machine. A room gets the rest of its world as an argument.
   */
  world: 'none' | 'network' | 'all';
}

/** What a wire may ask. */
const asked = ['registry', 'access', 'lifecycle', 'orchestrator', 'pinner'];

export const rooms: Room[] = [
  { folder: 'core', owns: 'words of the field', imports: [], packages: ['kysely'], world: 'none' },

  {
    folder: 'registry',
    owns: 'repositories, images, blobs, holds, collection',
    imports: ['core'],
    packages: ['kysely'],
    world: 'none',
  },
  { folder: 'access', owns: 'keys, tokens, policies, secrets', imports: ['core'], packages: ['kysely'], world: 'none' },
  { folder: 'client', owns: 'talking to any other registry', imports: ['core'], world: 'all' },

  {
    folder: 'lifecycle',
    owns: 'which images a policy expires',
    imports: ['core', 'registry'],
    packages: ['kysely'],
    world: 'none',
  },
  {
    folder: 'orchestrator',
    owns: 'services, deployments, tasks',
    imports: ['core', 'registry', 'client'],
    packages: ['kysely', '@aws-sdk/client-ecs'],
    world: 'none',
  },
  { folder: 'pinner', owns: 'references in files', imports: ['core', 'client'], world: 'none' },

  { folder: 'wire/http', owns: 'the HTTP server that the wires share', imports: ['core'], world: 'network' },
  { folder: 'wire/aws', owns: 'JSON 1.1 and signatures', imports: ['core', 'access', 'wire/http'], world: 'network' },
  // It refuses in ECR's own words, which tools look for, and so reads ECR's table of faults.
  {
    folder: 'wire/oci',
    owns: "the distribution API, in ECR's words",
    imports: ['core', ...asked, 'wire/http', 'wire/aws', 'wire/ecr'],
    world: 'network',
  },
  {
    folder: 'wire/ecr',
    owns: "ECR's API",
    imports: ['core', ...asked, 'wire/http', 'wire/aws'],
    packages: ['@aws-sdk/client-ecr'],
    world: 'network',
  },
  // What the registry refuses underneath is said in ECR's words.
  {
    folder: 'wire/ecs',
    owns: "ECS's API",
    imports: ['core', ...asked, 'wire/http', 'wire/aws', 'wire/ecr'],
    packages: ['@aws-sdk/client-ecs'],
    world: 'network',
  },
  {
    folder: 'wire/holdfast',
    owns: "Holdfast's own JSON API",
    imports: ['core', ...asked, 'wire/http', 'wire/aws'],
    world: 'network',
  },

  {
    folder: 'wire/metadata',
    owns: 'what a container may ask of its own task',
    imports: ['core', 'orchestrator', 'wire/http'],
    world: 'network',
  },

  // A policy is tried on what another registry lists as well, without any server of ours: its evaluation is a pure function.
  {
    folder: 'cli',
    owns: 'arguments, output, exit codes',
    imports: ['core', 'client', 'pinner', 'lifecycle'],
    world: 'all',
  },

  { folder: 'drivers/system', owns: 'clock, identifiers', imports: ['core'], world: 'all' },
  { folder: 'drivers/blobs', owns: 'blob bytes', imports: ['core'], portsOf: ['registry'], world: 'all' },
  {
    folder: 'drivers/meta',
    owns: 'the metadata database',
    imports: ['core'],
    packages: ['kysely', 'pg'],
    world: 'all',
  },
  { folder: 'drivers/runtime', owns: 'what runs tasks', imports: ['core'], portsOf: ['orchestrator'], world: 'all' },
];

/** The files that know every room and every driver, and that alone read the clock, the environment and the process. */
export const frontDoor = [
  'main.ts',
  'serve-command.ts',
  'serve.ts',
  'serve-orchestrator.ts',
  'serve-runtime.ts',
  'serve-images.ts',
  'config.ts',
];

/** The only room, beside the front door, that reads the machine's clock and makes random numbers. */
export const clockRoom = 'drivers/system';

/** The files of a room that declare its sockets. */
export const portFiles = ['ports.ts', 'container-engine.ts'];

/** How many folders deep a file may lie below its room. */
export const deepest = 3;

/** The room of a path below src/, or undefined: the front door, or a file that is in no room. */
export function roomOf(path: string): Room | undefined {
  return rooms.find(({ folder }) => path.startsWith(`${folder}/`));
}

/** May the file `from` import the file `to`? Both are paths below src/; the types of a port count as `types`. */
export function mayImport(from: string, to: string): 'yes' | 'types' | 'no' {
  if (frontDoor.includes(from)) return 'yes';
  const [source, target] = [roomOf(from), roomOf(to)];
  if (source === undefined || target === undefined) return 'no';
  if (source === target || source.imports.includes(target.folder)) return 'yes';
  return source.portsOf?.includes(target.folder) === true && portFiles.some((file) => to === `${target.folder}/${file}`)
    ? 'types'
    : 'no';
}
