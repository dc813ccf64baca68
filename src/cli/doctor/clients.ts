import { isAtLeast, parseVersion, type Check } from './check.ts';

/** The first releases of each line that read AWS_ENDPOINT_URL (July 2023). */
const readsEndpoint = new Map([
  [1, [1, 29]],
  [2, [2, 13]],
]);

/** Whether `aws` goes where `holdfast env` points it. `printed` is absent where it took too long to say its version. */
export function judgeAws(path: string | undefined, printed: string | undefined): Check {
  const name = 'aws';
  if (path === undefined)
    return {
      name,
      status: 'warning',
      found: 'not installed',
      advice: 'Needed only for aws commands. Install it with: sudo apt-get install awscli',
      needed: false,
    };
  const version = printed === undefined ? undefined : parseVersion(printed);
  const least = version === undefined ? undefined : readsEndpoint.get(version[0] ?? 0);
  const found = version === undefined ? path : `${version.join('.')}, ${path}`;
  if (version === undefined || least === undefined || isAtLeast(version, least))
    return { name, status: 'ok', found, needed: false };
  return {
    name,
    status: 'warning',
    found,
    advice: `Before ${least.join('.')} it does not read AWS_ENDPOINT_URL, and goes to Amazon. Give each command: --endpoint-url "$AWS_ENDPOINT_URL"`,
    needed: false,
  };
}
