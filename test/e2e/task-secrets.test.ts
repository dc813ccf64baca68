import assert from 'node:assert/strict';
import { StopTaskCommand } from '@aws-sdk/client-ecs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createCleanup } from '../support/cleanup.ts';
import { noRealTasks, openRealTasks, sh, type RealTasks } from '../support/real-tasks.ts';

const SECRET = 'sesame-open-1234567890';

describe('secrets of real containers', { skip: noRealTasks, timeout: 120_000 }, () => {
  const cleanup = createCleanup();
  let tasks: RealTasks;
  before(async () => {
    tasks = await openRealTasks(cleanup);
  });
  after(async () => {
    await tasks.server.stop();
    await cleanup.run();
  });

  /** Files below the server's data folder that have the secret in clear. */
  async function leaks(): Promise<string[]> {
    const found: string[] = [];
    for (const entry of await readdir(tasks.server.dataFolder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      if ((await readFile(path)).includes(SECRET)) found.push(path.slice(tasks.server.dataFolder.length));
    }
    return found;
  }

  test('are in the environment, and nowhere else once the task has ended', async () => {
    const valueFrom = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:team/db-a1B2c3';
    const secrets = [
      { name: 'WHOLE', valueFrom },
      { name: 'MEMBER', valueFrom: `${valueFrom}:password::` },
      { name: 'PARAMETER', valueFrom: 'arn:aws:ssm:us-east-1:123456789012:parameter/team/plain' },
    ];
    const script = `[ "$WHOLE" = '{"password":"${SECRET.slice(0, 6)}'"$REST"'"}' ] && echo whole; echo $MEMBER | wc -c; echo $PARAMETER | wc -c; exec sleep 300`;
    await tasks.register('secretive', [
      {
        ...sh(script),
        secrets,
        environment: [{ name: 'REST', value: SECRET.slice(6) }],
        stopTimeout: 1,
      },
    ]);
    const failed = await tasks.ended(await tasks.start('secretive'));
    assert.match(
      failed.stoppedReason ?? '',
      /^ResourceInitializationError: unable to pull secrets or registry auth: container 'box': secret WHOLE: there is no secret 'team\/db' in us-east-1\. Set it with: holdfast secret set team\/db$/,
    );
    await tasks.server.run(['secret', 'set', 'team/db'], { stdin: JSON.stringify({ password: SECRET }) });
    await tasks.server.run(['secret', 'set', '/team/plain'], { stdin: SECRET });

    const task = await tasks.start('secretive');
    await tasks.running(task);
    assert.deepEqual((await tasks.logs(task)).match(/\w+$/gm), ['whole', '23', '23']);
    // What runs has it, and who it belongs to: the runtime's own files, which root alone can read.
    const running = await leaks();
    assert.ok(
      running.every((path) => /^\/oci\/tasks\/\w+\/containers\/box\/(?:config|container)\.json$/.test(path)),
      running.join(),
    );
    assert.ok(running.length > 0, 'the search finds nothing where there is something');
    assert.ok(!JSON.stringify(await tasks.look(task)).includes(SECRET));

    await tasks.client.send(new StopTaskCommand({ task }));
    assert.equal((await tasks.ended(task)).containers?.[0]?.exitCode, 137);
    assert.deepEqual(await leaks(), []);
    assert.ok(!tasks.server.log().includes(SECRET));
  });
});
