import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { FetchError } from '../client/outcome.ts';
import { ContentError, pushImage, PushRefused, type PushContent, type PushReport } from '../client/push.ts';
import { formatReference } from '../core/reference.ts';
import { CommandFailure, jsonOption, UsageError, writeJson, writeLine, type Command, type CommandContext } from './command.ts';
import { formatBytes, printable } from './format.ts';
import { nameOperands, textOption } from './operands.ts';
import { clientOptions, strings } from './pin-client.ts';
import { createProgress, type Progress } from './progress.ts';
import { openArchive, readDockerArchive } from './push-archive.ts';
import { folderTree, readFolder, readSettings } from './push-folder.ts';
import { isLayout, readLayout } from './push-layout.ts';
import { openTarget, type PushTarget } from './push-target.ts';
import { openScratch, type Scratch } from './push-temporary.ts';
import { splitWords } from './push-words.ts';

/** Options that say what the image of a plain folder is like. */
const imageOptions: Command['options'] = {
  cmd: { type: 'string', value: 'COMMAND', help: 'of a plain folder: what is run, as words or as a JSON list' },
  entrypoint: { type: 'string', value: 'COMMAND', help: 'of a plain folder: what is run with the command as its arguments' },
  env: { type: 'string', multiple: true, value: 'NAME=VALUE', help: 'of a plain folder: an environment variable' },
  workdir: { type: 'string', value: 'PATH', help: 'of a plain folder: where the command starts' },
  user: { type: 'string', value: 'USER', help: 'of a plain folder: as whom it runs' },
  port: { type: 'string', multiple: true, value: 'PORT', help: 'of a plain folder: a port that it listens on' },
  label: { type: 'string', multiple: true, value: 'NAME=VALUE', help: 'of a plain folder: a label' },
};

/** `holdfast push`: an image into a registry, without an engine on the machine. */
export const pushCommand: Command = {
  name: 'push',
  summary: 'push an OCI layout, a docker save archive or a plain folder, without Docker',
  usage: [
    'push SOURCE REPOSITORY[:TAG] [--create] [--image NAME] [--platform PLATFORM]',
    'push FOLDER REPOSITORY[:TAG] --cmd COMMAND [--env NAME=VALUE ...] [--port PORT ...]',
  ],
  options: {
    create: { type: 'boolean', help: 'make the repository when it is not there' },
    image: { type: 'string', value: 'NAME', help: 'which image, where the source has several' },
    platform: {
      type: 'string',
      value: 'PLATFORM',
      help: 'only this one out of an index, such as linux/arm64; of a plain folder: what it is for',
    },
    ...imageOptions,
    ...clientOptions,
    json: jsonOption,
  },
  examples: [
    ['holdfast push ./layout team/app:v1 --create', 'an OCI layout folder to the running server'],
    [
      'docker save app | gzip > app.tar.gz && holdfast push app.tar.gz team/app:v1',
      'an archive, of docker save or OCI, compressed or not',
    ],
    [
      `holdfast push ./site hello:1 --create --cmd '/busybox httpd -f -p 80 -h /www' --port 80`,
      'a plain folder, as an image of one layer',
    ],
    ['holdfast push ./layout ghcr.io/team/app:v1', 'to any registry that this machine is logged in to'],
  ],
  async run(context, options, operands) {
    const [sourceText, targetText] = nameOperands(operands, ['SOURCE', 'REPOSITORY[:TAG]']);
    const target = await openTarget(context, options, targetText);
    const scratch = await openScratch(context.env);
    try {
      const content = await readSource(context, options, resolve(context.cwd, sourceText), scratch);
      const report = await push(context, target, content, options['create'] === true);
      showReport(context, options, target, content, report);
      return 0;
    } catch (error) {
      throw explain(error, target);
    } finally {
      target.close();
      await scratch.close();
    }
  },
};

async function readSource(
  context: CommandContext,
  options: Record<string, unknown>,
  path: string,
  scratch: Scratch,
): Promise<PushContent> {
  const isFolder = (await stat(path)).isDirectory();
  const tree = isFolder ? folderTree(path) : await openArchive(path, scratch);
  const choice = { image: textOption(options, 'image'), platform: textOption(options, 'platform') };
  const given = Object.keys(imageOptions).filter((name) => options[name] !== undefined);
  const known = {
    ...(choice.image === undefined ? {} : { image: choice.image }),
    ...(choice.platform === undefined ? {} : { platform: choice.platform }),
  };
  if (await isLayout(tree)) {
    refuseImageOptions(given, `${path} is an OCI layout`);
    return readLayout(tree, known);
  }
  if (!isFolder) {
    refuseImageOptions(given, `${path} is an archive of an image`);
    return packing(context, 'packing', (onBytes) => readDockerArchive(tree, known, scratch, onBytes));
  }
  if (choice.image !== undefined) throw new UsageError(`${path} is a plain folder, which has no image to choose.`);
  const [cmd, entrypoint] = (['cmd', 'entrypoint'] as const).map((name) => {
    const text = textOption(options, name);
    return text === undefined ? undefined : splitWords(text, `--${name}`);
  });
  if (cmd === undefined && entrypoint === undefined)
    throw new UsageError(`${path} is a plain folder (it has no oci-layout file). Say what its image runs with --cmd.`);
  const settings = readSettings({
    env: strings(options['env']),
    labels: strings(options['label']),
    ports: strings(options['port']),
    platform: choice.platform,
  });
  const [workdir, user] = [textOption(options, 'workdir'), textOption(options, 'user')];
  const image = {
    ...settings,
    ...(cmd === undefined ? {} : { cmd }),
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(workdir === undefined ? {} : { workdir }),
    ...(user === undefined ? {} : { user }),
  };
  return packing(context, 'packing', (onBytes) => readFolder(path, image, scratch, onBytes));
}

function refuseImageOptions(given: string[], what: string): void {
  const [first] = given;
  if (first !== undefined) throw new UsageError(`--${first} is for plain folders; ${what}, which says that itself.`);
}

async function packing(
  context: CommandContext,
  label: string,
  work: (onBytes: (count: number) => void) => Promise<PushContent>,
): Promise<PushContent> {
  const progress = createProgress(context.stderr, { label, unit: 'bytes', now: () => context.now() });
  return withProgress(context, progress, work, undefined);
}

async function push(context: CommandContext, target: PushTarget, content: PushContent, create: boolean): Promise<PushReport> {
  const total = content.blobs.reduce((sum, blob) => sum + blob.bytes, 0);
  const attempt = (): Promise<PushReport> => {
    const progress = createProgress(context.stderr, { label: 'pushing', total, unit: 'bytes', now: () => context.now() });
    const work = (onBytes: (count: number) => void): Promise<PushReport> =>
      pushImage(target.caller, target.reference, content, { onBytes });
    return withProgress(context, progress, work, (report) => describeReport(target, report));
  };
  try {
    return await attempt();
  } catch (error) {
    if (!create || !(error instanceof PushRefused) || error.code !== 'NAME_UNKNOWN') throw error;
    if (target.createRepository === undefined)
      throw new CommandFailure(`${target.reference.host} has no way to create ${target.reference.path} that is known here.`, {
        kind: 'repository-unknown',
        cause: error,
      });
    await target.createRepository();
    return attempt();
  }
}

/** Ends the progress with what came of it. A failure has a sentence of its own, which only needs a line to itself. */
async function withProgress<T>(
  context: CommandContext,
  progress: Progress,
  work: (onBytes: (count: number) => void) => Promise<T>,
  describe: ((result: T) => string) | undefined,
): Promise<T> {
  const isTerminal = context.stderr.isTTY === true;
  try {
    const result = await work((count) => progress.advance(count));
    if (describe !== undefined) progress.finish(describe(result));
    else if (isTerminal) progress.finish();
    return result;
  } catch (error) {
    if (isTerminal) progress.finish();
    throw error;
  }
}

function describeReport(target: PushTarget, { blobsPushed, blobsPresent, bytesPushed }: PushReport): string {
  const there = blobsPresent === 0 ? '' : `; ${blobsPresent} of ${blobsPushed + blobsPresent} blobs were there`;
  return `Pushed ${shownName(target)}: ${formatBytes(bytesPushed)} sent${there}.`;
}

function shownName({ reference: { tag, digest }, shownRepository }: PushTarget): string {
  return tag === undefined && digest !== undefined ? shownRepository : `${shownRepository}:${tag ?? 'latest'}`;
}

function showReport(
  context: CommandContext,
  options: Record<string, unknown>,
  target: PushTarget,
  content: PushContent,
  report: PushReport,
): void {
  const { digest, ...counts } = report;
  if (options['json'] === true) {
    writeJson(context.stdout, {
      name: shownName(target),
      image: `${target.shownRepository}@${digest}`,
      digest,
      mediaType: content.root.mediaType,
      ...counts,
    });
  } else {
    writeLine(context.stdout, digest);
  }
}

/** What went wrong, as people can act on it. */
function explain(error: unknown, { reference, shownRepository, createRepository }: PushTarget): unknown {
  if (error instanceof ContentError)
    return new CommandFailure(`Nothing was pushed: ${error.message}.`, { kind: 'source-damaged', cause: error });
  if (error instanceof FetchError)
    return new CommandFailure(`${printable(error.failure.host)}: ${printable(error.failure.reason)}.`, {
      kind: error.failure.kind,
      cause: error,
    });
  if (!(error instanceof PushRefused)) return error;
  if (error.code === 'NAME_UNKNOWN') {
    return new CommandFailure(`There is no repository ${shownRepository}.`, {
      kind: 'repository-unknown',
      ...(createRepository === undefined
        ? {}
        : { advice: `Add --create, or create it with: aws ecr create-repository --repository-name ${reference.path}` }),
      cause: error,
    });
  }
  return new CommandFailure(`${printable(formatReference(reference))} was refused: ${printable(error.message)}`, {
    kind: error.code === '' ? `http-${error.status}` : error.code.toLowerCase().replaceAll('_', '-'),
    cause: error,
  });
}
