import { flushCompileCache } from 'node:module';
import { CommandFailure, UsageError, writeLine, type Command, type CommandContext } from './cli/command.ts';
import { ConfigError, readConfig, SETTINGS, type ServerConfig } from './config.ts';
import type { RunningServer } from './serve.ts';

const CACHE_AFTER_MS = 1000;

/** `holdfast serve`. */
export const serve: Command = {
  name: 'serve',
  summary: 'run the server: registry, ECR API, and all the rest',
  usage: ['serve [OPTIONS]'],
  options: Object.fromEntries(
    SETTINGS.map((setting) => [
      setting.flag,
      {
        type: 'string' as const,
        value: setting.value,
        help: `${setting.help} (${setting.variable}${'fallback' in setting ? `, default ${setting.fallback}` : ''})`,
      },
    ]),
  ),
  examples: [
    ['holdfast serve', 'listens on 127.0.0.1:4600, keeps its data in ./.holdfast'],
    ['holdfast serve --port 0 --data /tmp/try', 'a throw-away server on a free port'],
  ],
  async run(context, options, operands) {
    if (operands.length > 0) throw new UsageError(`serve takes no operands: "${operands[0]}"`);
    let config: ServerConfig;
    try {
      config = readConfig(context.env, options, context.cwd);
    } catch (error) {
      throw error instanceof ConfigError ? new UsageError(error.message) : error;
    }
    // Loaded only now, so that the other commands start quickly.
    const { startServer } = await import('./serve.ts');
    const server = await startServer(config).catch((error: unknown) => {
      if (error instanceof ConfigError) throw new UsageError(error.message);
      throw error instanceof Error && error.cause !== undefined ? new CommandFailure(error.message, { cause: error }) : error;
    });
    // Heard from before anybody is told that the server is there, and may end it.
    const stopped = new Promise<string>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve(''));
    });
    announce(context, server, config);
    // A server ends by being killed as often as not: what was compiled is kept now, when nobody waits for it.
    setTimeout(flushCompileCache, CACHE_AFTER_MS).unref();
    const failure = await Promise.race([stopped, server.failed]);
    if (failure !== '') {
      // Nothing may be promised on a disk that has lost a write: no clean end, and a person has to look.
      writeLine(context.stderr, `holdfast: stopped: ${failure}`);
      process.exit(1);
    }
    await server.close();
    return 0;
  },
};

function announce({ stdout }: CommandContext, server: RunningServer, config: ServerConfig): void {
  const data = config.dataFolder === `${process.cwd()}/.holdfast` ? '' : `HOLDFAST_DATA=${config.dataFolder} `;
  for (const line of [
    `Holdfast ready on ${server.url}`,
    '',
    'Next, in another terminal:',
    `  eval "$(${data}bin/holdfast env)"`,
    '  aws ecr create-repository --repository-name hello',
    '  aws ecr get-login-password | docker login --username AWS --password-stdin "$HOLDFAST_REGISTRY"',
  ]) {
    writeLine(stdout, line);
  }
}
