import { resolve } from 'node:path';
import { CommandFailure, jsonOption, writeJson, writeLine, type Command } from './command.ts';
import { nameOperands } from './operands.ts';
import { readServerFile, type ServerAddress } from './server-connection.ts';
import { exchange } from './server-exchange.ts';

/** `holdfast env`: what makes aws, docker and all others talk to the server of a data folder. */
export const envCommand: Command = {
  name: 'env',
  summary: 'print the variables that make aws and docker talk to this server',
  usage: ['env [--json]'],
  options: { json: jsonOption },
  examples: [
    ['eval "$(holdfast env)"', 'for this shell'],
    ['eval "$(HOLDFAST_DATA=/srv/holdfast holdfast env)"', 'of the server whose data is elsewhere'],
    ['holdfast env --json | jq -r .HOLDFAST_REGISTRY', 'only the registry, for image names'],
  ],
  async run(context, options, operands) {
    nameOperands(operands, []);
    const folder = resolve(context.cwd, context.env['HOLDFAST_DATA'] || '.holdfast');
    const server = await readServerFile(folder);
    if (server === undefined) {
      throw new CommandFailure(`No server runs on ${folder}.`, {
        kind: 'no-server',
        advice: 'Start one with: holdfast serve. If its data is elsewhere, set HOLDFAST_DATA to that folder.',
      });
    }
    const variables = serverVariables(server);
    if (options['json'] === true) writeJson(context.stdout, variables);
    else for (const [name, value] of Object.entries(variables)) writeLine(context.stdout, `export ${name}=${shellQuoted(value)}`);
    // On standard error, where it disturbs no eval.
    if (server.accessKeyId === undefined)
      writeLine(
        context.stderr,
        'holdfast: the first key of the server was revoked; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY yourself.',
      );
    if (!(await isUp(server)))
      writeLine(context.stderr, `holdfast: no server answers at ${server.url.origin}. Start it again with: holdfast serve`);
    return 0;
  },
};

/** The variables of a server, in the order in which they are printed. */
export function serverVariables({
  url,
  registryHost,
  region,
  accessKeyId,
  secretAccessKey,
}: ServerAddress): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: url.origin,
    ...(accessKeyId !== undefined && secretAccessKey !== undefined
      ? { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
      : {}),
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    HOLDFAST_REGISTRY: registryHost,
  };
}

/** For a POSIX shell: nothing in it is read as anything but itself. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

async function isUp({ url }: ServerAddress): Promise<boolean> {
  try {
    return (await exchange(url, { method: 'GET', target: '/healthz', headers: {}, body: new Uint8Array() })).status < 500;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== undefined) return false;
    throw error;
  }
}
