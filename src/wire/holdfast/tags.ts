import { Fault } from '../../core/fault.ts';
import { digestField, optional, pageFields, readPage, repositoryField, tagField, timeField } from './field.ts';
import { onName, onRepository, type ApiOperation } from './operation.ts';
import { showTagEvent } from './resources.ts';
import { isoTime } from './time.ts';

export const tagOperations: ApiOperation[] = [
  onName(
    {
      name: 'ListTagHistory',
      method: 'GET',
      path: '/tag-history',
      summary: 'Lists the moves of a tag, or of every tag of a repository, latest first. The repository may be gone.',
      fields: { repository: repositoryField, tag: optional(tagField), ...pageFields },
      answer: { list: 'events', of: 'TagEvent' },
    },
    async ({ repository, tag, limit, next }, { registry, caller }) => {
      const page = await registry.tags.history(
        { account: caller.account, region: caller.region, name: repository },
        tag,
        readPage({ limit, next }),
      );
      return { events: page.items.map(showTagEvent), next: page.next };
    },
  ),
  onName(
    {
      name: 'GetTagAt',
      method: 'GET',
      path: '/tag-at',
      summary: 'Says what a tag pointed at at some time. The repository may be gone.',
      fields: { repository: repositoryField, tag: tagField, time: timeField('when') },
      answer: { kind: 'TagTarget' },
    },
    async ({ repository, tag, time }, { registry, caller }) => {
      const digest = await registry.tags.at({ account: caller.account, region: caller.region, name: repository }, tag, time);
      return { repository, tag, time: isoTime(time), digest };
    },
  ),
  onRepository(
    {
      name: 'RestoreTag',
      method: 'POST',
      path: '/tag-restores',
      summary: 'Points a tag at what it pointed at at some time, or at a digest, and brings that image back if it was deleted.',
      fields: {
        repository: repositoryField,
        tag: tagField,
        at: optional(timeField('when it pointed there')),
        digest: optional(digestField),
      },
      answer: { kind: 'RestoredTag' },
    },
    async ({ tag, at, digest }, { registry, caller }, repository) => {
      if ((at === undefined) === (digest === undefined))
        throw new Fault('request-invalid', { reason: 'Either at or digest must be given, and not both.' });
      const restored = await registry.tags.restore(caller, repository, tag, at === undefined ? { digest: digest! } : { at });
      return { repository: repository.name, tag, digest: restored };
    },
  ),
];
