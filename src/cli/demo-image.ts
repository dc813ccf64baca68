import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { CommandFailure, type CommandContext } from './command.ts';
import { pushCommand } from './push.ts';

const PLACES = ['/bin/busybox', '/usr/bin/busybox', '/usr/local/bin/busybox'];
const PORT = 80;

/** A server that ends at once when it is told to; a shell that is the first process of its container would not. */
const START = `#!/bin/busybox sh
trap 'kill "$server"; exit 0' TERM
/bin/busybox httpd -f -p ${PORT} -h /www &
server=$!
echo "serving: $(/bin/busybox cat /www/index.html)"
wait "$server"
`;

/** A busybox that needs nothing beside itself. Raises CommandFailure where there is none. */
export async function findBusybox(): Promise<string> {
  for (const place of PLACES) {
    const bytes = await readFile(place).catch(() => undefined);
    if (bytes !== undefined && isStatic(bytes)) return place;
  }
  throw new CommandFailure('The images of this demonstration are made of a static busybox, and none was found.', {
    kind: 'tool-missing',
    advice: 'Install it with: apt-get install busybox-static',
  });
}

/** ELF, 64 bits, little end first, without a segment that asks for a loader (PT_INTERP). */
function isStatic(bytes: Buffer): boolean {
  const INTERPRETER = 3;
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f45_4c46 || bytes[4] !== 2 || bytes[5] !== 1) return false;
  const [at, size, count] = [Number(bytes.readBigUInt64LE(32)), bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
  for (let index = 0; index < count; index++) {
    const offset = at + index * size;
    if (offset + 4 > bytes.length || bytes.readUInt32LE(offset) === INTERPRETER) return false;
  }
  return true;
}

/** Builds a web service that serves one text, and pushes it. Gives its digest. */
export async function pushVersion(
  context: CommandContext,
  busybox: string,
  version: { folder: string; text: string; name: string },
): Promise<string> {
  const { folder, text, name } = version;
  for (const each of ['bin', 'www', 'tmp']) await mkdir(join(folder, each), { recursive: true });
  await copyFile(busybox, join(folder, 'bin/busybox'));
  await chmod(join(folder, 'bin/busybox'), 0o755);
  await writeFile(join(folder, 'www/index.html'), `${text}\n`);
  await writeFile(join(folder, 'start'), START, { mode: 0o755 });
  const chunks: Buffer[] = [];
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  await pushCommand.run({ ...context, stdout, stderr: silent }, { cmd: '/start', port: [String(PORT)] }, [folder, name]);
  return Buffer.concat(chunks).toString().trim();
}
