import { Fault } from '../../core/fault.ts';
import type { RepositoryName } from '../../core/repository-name.ts';
import { countField, digestField, optional, pageFields, readPage, repositoryField, tagField, textField } from './field.ts';
import { onName, onRepository, type ApiCall, type ApiOperation } from './operation.ts';
import { showHold } from './resources.ts';

const TEN_YEARS = 10 * 366 * 24 * 60 * 60;
const kind = textField('what sort of holder: `cluster`, `service`, `person`, …; lower case', { max: 64 });
const holder = textField('who holds it, as a refused deletion will say');

export const holdOperations: ApiOperation[] = [
  onRepository(
    {
      name: 'CreateHold',
      method: 'POST',
      path: '/holds',
      summary:
        'Holds an image, so that nothing deletes it or what it needs. The same digest, kind and holder again renew the hold.',
      fields: {
        repository: repositoryField,
        digest: optional(digestField),
        tag: optional({ ...tagField, help: 'instead of the digest: what the tag points at now' }),
        kind,
        holder,
        note: optional(textField('why')),
        timeToLiveSeconds: optional(countField('until the hold ends by itself (default: never)', 1, TEN_YEARS)),
      },
      answer: { kind: 'Hold' },
    },
    async (input, { registry, caller }, repository) => {
      if (input.digest === undefined && input.tag === undefined)
        throw new Fault('request-invalid', { reason: 'Either digest or tag must be given.' });
      const digest =
        input.tag === undefined
          ? input.digest
          : (
              await registry.images.resolve(repository, {
                tag: input.tag,
                ...(input.digest === undefined ? {} : { digest: input.digest }),
              })
            ).digest;
      if (digest === undefined) throw new Error('a hold without a digest got through');
      const hold = await registry.holds.take(caller, repository, {
        digest,
        kind: input.kind,
        holder: input.holder,
        ...(input.note === undefined ? {} : { note: input.note }),
        ...(input.timeToLiveSeconds === undefined ? {} : { timeToLive: input.timeToLiveSeconds * 1000 }),
      });
      return showHold(hold);
    },
  ),
  onName(
    {
      name: 'ListHolds',
      method: 'GET',
      path: '/holds',
      summary: 'Lists the live holds, oldest first.',
      fields: {
        repository: optional(repositoryField),
        digest: optional(digestField),
        kind: optional(kind),
        holder: optional(holder),
        ...pageFields,
      },
      answer: { list: 'holds', of: 'Hold' },
    },
    async ({ limit, next, ...filters }, { registry, caller }) => {
      const page = await registry.holds.list(caller, { ...readPage({ limit, next }), ...filters });
      return { holds: page.items.map(showHold), next: page.next };
    },
  ),
  onName(
    {
      name: 'ReleaseHold',
      method: 'DELETE',
      path: '/holds/{id}',
      summary: 'Releases a hold. A key whose rights are on some repositories only names the repository too.',
      fields: { id: textField("the hold's id", { max: 128 }), repository: optional(repositoryField) },
    },
    async ({ id, repository }, call) => {
      if (repository !== undefined) await requireHold(call, repository, id);
      await call.registry.holds.release(call.caller, id);
      return undefined;
    },
  ),
];

/** The right was on this repository, so the hold must be there too. Raises `hold-unknown`. */
async function requireHold({ registry, caller }: ApiCall, repository: RepositoryName, id: string): Promise<void> {
  let next: string | undefined;
  do {
    const page = await registry.holds.list(caller, { repository, limit: 1000, ...(next === undefined ? {} : { next }) });
    if (page.items.some((hold) => hold.id === id)) return;
    next = page.next;
  } while (next !== undefined);
  throw new Fault('hold-unknown', { id });
}
