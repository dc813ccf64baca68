import type { Collector } from './collector.ts';

/** Options of `docker|podman|nerdctl run|create` that take a value as their next word. */
const VALUED = new Set(
  '-a -c -e -h -l -m -p -u -v -w --add-host --annotation --arch --attach --blkio-weight --cap-add --cap-drop --cgroup-parent --cgroupns --cidfile --cpu-period --cpu-quota --cpu-shares --cpus --cpuset-cpus --cpuset-mems --detach-keys --device --device-cgroup-rule --dns --dns-option --dns-search --domainname --entrypoint --env --env-file --expose --gpus --group-add --health-cmd --health-interval --health-retries --health-timeout --hostname --ip --ip6 --ipc --isolation --label --label-file --link --log-driver --log-opt --mac-address --memory --memory-reservation --memory-swap --mount --name --net --net-alias --network --network-alias --oom-score-adj --pid --pids-limit --platform --publish --pull --restart --runtime --security-opt --shm-size --stop-signal --stop-timeout --storage-opt --sysctl --tmpfs --ulimit --user --userns --uts --volume --volume-driver --volumes-from --workdir'.split(
    ' ',
  ),
);

/** Longer ones are not looked into, so that a file of openings costs no more than its length. */
const MAX_EXPANSION = 512;

interface Word {
  start: number;
  text: string;
  isQuoted: boolean;
}

/** `docker run|create|pull IMAGE` in a shell script or a Makefile's recipe. */
export function findInShell(text: string, collector: Collector): void {
  for (const command of commands(text)) {
    for (let index = 0; index < command.length; index++) {
      const word = command[index]?.text.replace(/^[@-]+/, '') ?? '';
      if (!/^(?:.*\/)?(?:docker|podman|nerdctl|finch)$/.test(word)) continue;
      let at = index + 1;
      while (command[at]?.text.startsWith('-'))
        at += VALUED.has(command[at]?.text ?? '') && !command[at]?.text.includes('=') ? 2 : 1;
      if (command[at]?.text === 'container' || command[at]?.text === 'image') at++;
      const verb = command[at]?.text;
      if (verb !== 'run' && verb !== 'pull' && verb !== 'create') continue;
      const image = imageWord(command, at + 1);
      if (image)
        collector.add(
          { start: image.start, end: image.start + image.text.length, text: image.text, exact: true, quoting: 'plain' },
          `${word} ${verb}`,
          'certain',
        );
      break;
    }
  }
}

function imageWord(command: Word[], from: number): Word | undefined {
  for (let at = from; at < command.length; at++) {
    const word = command[at];
    if (!word) return undefined;
    if (!word.text.startsWith('-') || word.isQuoted) return word;
    if (VALUED.has(word.text) || /^-[a-zA-Z]*[aceHhlmpuvw]$/.test(word.text)) at++;
  }
  return undefined;
}

/** The words of each simple command, quotes taken off. Comments and heredoc bodies hold none. */
function* commands(text: string): Generator<Word[]> {
  let command: Word[] = [];
  let heredoc: string | undefined;
  for (let at = 0; at <= text.length;) {
    const char = text[at];
    if (
      char === undefined ||
      char === '\n' ||
      char === ';' ||
      char === '|' ||
      char === '&' ||
      char === '(' ||
      char === ')' ||
      char === '`'
    ) {
      if (command.length > 0) yield command;
      command = [];
      at++;
      if (char === '\n' && heredoc !== undefined) {
        at = heredocEnd(text, at, heredoc);
        heredoc = undefined;
      }
    } else if (char === ' ' || char === '\t' || char === '\r') at++;
    else if (char === '\\' && /^\\\r?\n/.test(text.slice(at, at + 3))) at += text[at + 1] === '\r' ? 3 : 2;
    else if (char === '#') {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end;
    } else {
      const word = readWord(text, at);
      const name = /^[0-9]*<<-?["']?([A-Za-z_][A-Za-z0-9_]*)/.exec(text.slice(at, at + 80))?.[1];
      if (name !== undefined) heredoc = name;
      else command.push(word.word);
      at = Math.max(word.next, at + 1);
    }
  }
}

function heredocEnd(text: string, from: number, name: string): number {
  for (let at = from; at < text.length;) {
    const stop = text.indexOf('\n', at);
    const end = stop < 0 ? text.length : stop;
    if (text.slice(at, end).trim() === name) return end;
    at = end + 1;
  }
  return text.length;
}

function readWord(text: string, from: number): { word: Word; next: number } {
  const quote = text[from];
  if (quote === '"' || quote === "'") {
    const end = text.indexOf(quote, from + 1);
    const after = text[end + 1];
    if (end > 0 && (after === undefined || /[\s;|&)]/.test(after)))
      return { word: { start: from + 1, text: text.slice(from + 1, end), isQuoted: true }, next: end + 1 };
  }
  let at = from;
  let open = '';
  for (; at < text.length; at++) {
    const char = text[at] ?? '';
    if (open === '' && /[\s;|&)`]/.test(char)) break;
    if (open === '' && char === '(' && text[at - 1] !== '$') break;
    if (char === '\\') {
      if (open === '' && (text[at + 1] === '\n' || text[at + 1] === '\r')) break;
      at++;
    } else if (open === char) open = '';
    else if (open === '' && (char === '"' || char === "'")) open = char;
    else if (open === '' && char === '$' && (text[at + 1] === '{' || text[at + 1] === '(')) {
      const inside = text.slice(at, at + MAX_EXPANSION).indexOf(text[at + 1] === '{' ? '}' : ')');
      if (inside < 0) break;
      at += inside;
    }
  }
  return { word: { start: from, text: text.slice(from, at), isQuoted: false }, next: at };
}
