import { defineConfig, type OxlintOverride } from 'oxlint';
import packageJson from './package.json' with { type: 'json' };
import { clockRoom, deepest, frontDoor, portFiles, rooms, type Room } from './layers.ts';

type Pattern = { regex: string; message: string; allowTypeImports?: boolean };

const packages = Object.keys({ ...packageJson.dependencies, ...packageJson.devDependencies });

/** The builtin modules that reach beyond the process's own memory. */
const machine = [
  'child_process',
  'cluster',
  'fs',
  'inspector',
  'module',
  'os',
  'process',
  'repl',
  'sqlite',
  'v8',
  'vm',
  'wasi',
  'worker_threads',
];
const network = ['dgram', 'dns', 'http', 'http2', 'https', 'net', 'tls'];

/** Every way to write an import of `target` (a folder or a file below src/) from a file in `folder`, as expressions. */
function writtenFrom(folder: string, target: string, ending: string): string[] {
  const here = folder.split('/');
  const there = target.split('/');
  return here
    .map((_, index) => index + 1)
    .filter((ups) => here.slice(0, here.length - ups).every((part, index) => part === there[index]))
    .map((ups) => `^(?:\\./)?(?:\\.\\./){${ups}}${there.slice(here.length - ups).join('/')}${ending}`);
}

/** An expression for every text that leaves the path to each of `names` at some letter. */
function anythingBut(names: string[]): string {
  const beginnings = new Set(names.flatMap((name) => Array.from({ length: name.length }, (_, length) => name.slice(0, length))));
  const ways = [...beginnings].map((beginning) => {
    const next = names.filter((name) => name.startsWith(beginning)).map((name) => name.slice(beginning.length)[0] ?? '');
    return `${beginning.replaceAll('.', '\\.')}[^${[...new Set(next)].join('').replaceAll('-', '\\-')}].*`;
  });
  return `(?:${ways.join('|')})`;
}

function fences(room: Room, folder: string): Pattern[] {
  const patterns: Pattern[] = [];
  for (const other of rooms) {
    if (other === room || room.imports.includes(other.folder)) continue;
    const message = `${room.folder} may not import ${other.folder}: see layers.ts`;
    if (room.portsOf?.includes(other.folder) === true) {
      // Two patterns, as there is no "anything but" without look-ahead: the types of the port's files, then every other file.
      for (const file of portFiles)
        for (const regex of writtenFrom(folder, other.folder, `/${file.replaceAll('.', '\\.')}$`))
          patterns.push({ regex, message, allowTypeImports: true });
      for (const regex of writtenFrom(folder, other.folder, `/${anythingBut(portFiles)}$`)) patterns.push({ regex, message });
    } else {
      for (const regex of writtenFrom(folder, other.folder, '/')) patterns.push({ regex, message });
    }
  }
  for (const file of frontDoor) {
    const message = `${room.folder} may not import the front door: take what you need as an argument`;
    for (const regex of writtenFrom(folder, file, '$')) patterns.push({ regex, message });
  }
  patterns.push(
    { regex: `^(?:\\./)?(?:\\.\\./){${folder.split('/').length + 1},}`, message: 'nothing outside of src/ is imported' },
    { regex: '[^./][^/]*/\\.\\./', message: 'write the shortest path, so that the fences can read it' },
  );
  const denied = [...(room.world === 'none' ? network : []), ...(room.world === 'all' ? ['process'] : machine)];
  patterns.push({
    regex: `^node:(?:${denied.join('|')})(?:/|$)`,
    message: `${room.folder} takes its world as an argument: see layers.ts`,
  });
  for (const name of packages.filter((each) => room.packages?.includes(each) !== true)) {
    patterns.push({
      regex: `^${name.replaceAll('.', '\\.')}(?:/|$)`,
      message: `${room.folder} may not import ${name}: see layers.ts`,
    });
  }
  return patterns;
}

const fencesOfRooms: OxlintOverride[] = rooms.flatMap((room) =>
  Array.from({ length: deepest + 1 }, (_, below): OxlintOverride => {
    const subfolders = Array.from({ length: below }, (__, level) => `sub${level}`);
    return {
      files: [`src/${room.folder}/${'*/'.repeat(below)}*.ts`],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: fences(room, [room.folder, ...subfolders].join('/')),
            paths:
              room.folder === clockRoom
                ? []
                : [
                    {
                      name: 'node:crypto',
                      importNames: ['randomBytes', 'randomInt', 'randomUUID', 'getRandomValues', 'webcrypto'],
                      message: 'take an IdSource as an argument',
                    },
                    { name: 'node:perf_hooks', importNames: ['performance'], message: 'take a Clock as an argument' },
                  ],
          },
        ],
      },
    };
  }),
);

const clock = 'take a Clock as an argument';
const ids = 'take an IdSource as an argument';
const worldRestricted: OxlintOverride['rules'] = {
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: clock },
    { object: 'performance', property: 'now', message: clock },
    { object: 'Math', property: 'random', message: ids },
    { object: 'crypto', property: 'randomUUID', message: ids },
    { object: 'crypto', property: 'getRandomValues', message: ids },
    { object: 'process', property: 'env', message: 'only the front door reads the environment; take settings as an argument' },
    { object: 'process', property: 'exit', message: 'give an exit code; only the front door ends the process' },
    { object: 'process', property: 'hrtime', message: clock },
  ],
};

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'node', 'promise'],
  categories: { correctness: 'error' },
  options: { typeAware: true, reportUnusedDisableDirectives: 'error' },
  ignorePatterns: ['dist', 'bin', 'test/fixtures'],
  rules: {
    'import/no-cycle': ['error', { ignoreTypes: false }],
    'import/no-self-import': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'typescript/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
    'typescript/no-misused-spread': ['error', { allow: ['string'] }],
    'typescript/no-explicit-any': 'error',
    // Rooms are made of plain functions in objects, which need no `this`.
    'typescript/unbound-method': 'off',
    // A copy is taken on purpose where the list changes meanwhile; an array is made at its full length where speed asks for it.
    'unicorn/no-useless-spread': 'off',
    'unicorn/no-new-array': 'off',
    // `Uncapitalize<keyof Client> & string` is no redundancy.
    'typescript/no-redundant-type-constituents': 'off',
    // What comes from outside is checked for control characters.
    'no-control-regex': 'off',
    'unicorn/prefer-node-protocol': 'error',
    'no-console': 'error',
    'no-debugger': 'error',
    'no-empty': 'error',
    'no-var': 'error',
    'prefer-const': ['error', { destructuring: 'all' }],
    eqeqeq: 'error',
  },
  overrides: [
    ...fencesOfRooms,
    { files: ['src/**/*.ts'], excludeFiles: frontDoor.map((file) => `src/${file}`), rules: worldRestricted },
    {
      files: rooms.filter(({ world }) => world === 'none').map(({ folder }) => `src/${folder}/**/*.ts`),
      rules: {
        'no-restricted-globals': [
          'error',
          { name: 'process', message: 'take settings as an argument' },
          { name: 'fetch', message: 'take what speaks to the network as an argument' },
        ],
      },
    },
    { files: [`src/${clockRoom}/**/*.ts`], rules: { 'no-restricted-properties': 'off' } },
    {
      // Tests build the whole house, with its drivers, and wait for real things.
      files: [
        'src/**/*.test.ts',
        'src/**/*.contract.ts',
        'src/**/testing.ts',
        'src/**/test-*.ts',
        'src/**/*.child.ts',
        'test/**/*.ts',
        'bench/**/*.ts',
        'scripts/**/*.ts',
      ],
      rules: {
        'no-restricted-imports': 'off',
        'no-restricted-properties': 'off',
        'no-restricted-globals': 'off',
        'no-console': 'off',
        // node:test keeps its own account of the promises that `test` and `describe` give.
        'typescript/no-floating-promises': [
          'error',
          {
            allowForKnownSafeCalls: [
              { from: 'package', name: ['test', 'it', 'describe', 'suite', 'before', 'after'], package: 'node:test' },
            ],
          },
        ],
      },
    },
  ],
});
