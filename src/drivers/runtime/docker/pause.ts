import { DockerError, type DockerApi } from './api.ts';
import { writeTar } from '../../../core/tar-writer.ts';
import { imageId } from './images.ts';

const IMAGE = 'localhost/holdfast/pause:1';
const LOAD_ADDRESS = 0x400000n;
const HEADERS = 64 + 56;

/** What the program does, for ever: wait for a signal. It ends by SIGKILL alone, as the first process of a namespace may. */
const CODE: Record<string, { machine: number; code: Buffer }> = {
  // mov eax, 34 (pause); syscall; jmp to the beginning
  x86_64: { machine: 62, code: Buffer.from('b8220000000f05ebf7', 'hex') },
  // x0..x3 = 0; x8 = 73 (ppoll); svc 0; b to the beginning
  arm64: { machine: 183, code: Buffer.from('000080d2010080d2020080d2030080d2280980d2010000d4faffff17', 'hex') },
};

/** A static ELF program (System V gABI, chapters 4 and 5): its two headers and the code, all in one segment. */
export function pauseProgram(architecture: string): Buffer {
  const known = CODE[architecture];
  if (known === undefined) throw new Error(`awsvpc and shared namespaces are not to be had on ${architecture}`);
  const file = Buffer.alloc(HEADERS + known.code.length);
  file.write('\x7fELF', 'latin1');
  file.set([2, 1, 1], 4);
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(known.machine, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(LOAD_ADDRESS + BigInt(HEADERS), 24);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64);
  file.writeUInt32LE(5, 68);
  file.writeBigUInt64LE(LOAD_ADDRESS, 80);
  file.writeBigUInt64LE(LOAD_ADDRESS, 88);
  file.writeBigUInt64LE(BigInt(file.length), 96);
  file.writeBigUInt64LE(BigInt(file.length), 104);
  file.writeBigUInt64LE(0x1000n, 112);
  known.code.copy(file, HEADERS);
  return file;
}

/** Sees to it that the engine has the image of the program, and gives its id. Nothing is fetched for it. */
export async function pauseImage(api: DockerApi, architecture: string): Promise<string> {
  const there = await imageId(api, IMAGE);
  if (there !== undefined) return there;
  const program = pauseProgram(architecture);
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar([{ name: 'pause', type: 'file', mode: 0o755, size: program.length, body: [program] }]))
    chunks.push(chunk);
  await api.call('/images/create', { method: 'POST', query: { fromSrc: '-', repo: IMAGE }, body: Buffer.concat(chunks) });
  const made = await imageId(api, IMAGE);
  if (made === undefined) throw new DockerError(500, `the engine did not take the image ${IMAGE}`);
  return made;
}
