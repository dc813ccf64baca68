import { flagField, optional, pageFields, readPage, repositoryField, textField } from './field.ts';
import { onName, onRegistry, onRepository, type ApiOperation } from './operation.ts';
import { showAuditEvent, showCollection, showRepository } from './resources.ts';

export const upkeepOperations: ApiOperation[] = [
  onRegistry(
    {
      name: 'CreateCollection',
      method: 'POST',
      path: '/collections',
      summary: 'Runs the garbage collector once, beside all other work, and answers when it is done.',
      fields: {
        purge: optional(
          flagField('end the grace period of everything that was deleted so far, and keep no unpacked layer that nothing needs'),
        ),
        dryRun: optional(flagField('only say what would be done')),
      },
      answer: { kind: 'Collection' },
    },
    async ({ purge = false, dryRun = false }, { registry, orchestrator }) => {
      // Unpacked copies first: an image that they were of may go with the rest.
      const unpacked = await orchestrator.collectUnpacked({ purge, dryRun });
      return showCollection(await registry.collector.run({ purge, dryRun }), unpacked);
    },
  ),
  onRegistry(
    {
      name: 'CreateScrub',
      method: 'POST',
      path: '/scrubs',
      summary: 'Reads every blob and compares it with its digest. Takes as long as reading the whole disk.',
      fields: {},
      answer: { kind: 'Scrub' },
    },
    async (_input, { scrub }) => scrub(),
  ),
  onRegistry(
    {
      name: 'ListRepositories',
      method: 'GET',
      path: '/repositories',
      summary: 'Lists the repositories by name, and which of them anybody may pull from.',
      fields: { prefix: optional(textField('only names that begin so', { max: 256 })), ...pageFields },
      answer: { list: 'repositories', of: 'Repository' },
    },
    async ({ prefix, limit, next }, { registry, caller }) => {
      const page = await registry.repositories.list(caller, {
        ...readPage({ limit, next }),
        ...(prefix === undefined ? {} : { prefix }),
      });
      return { repositories: page.items.map(showRepository), next: page.next };
    },
  ),
  onRepository(
    {
      name: 'PutPublicPull',
      method: 'PUT',
      path: '/public-pull',
      summary: 'Lets anybody pull from a repository without a login, or ends that.',
      fields: { repository: repositoryField, publicPull: flagField('true: anybody may') },
      answer: { kind: 'Repository' },
    },
    async ({ publicPull }, { registry, caller }, repository) =>
      showRepository(await registry.repositories.setPublicPull(caller, repository, publicPull)),
  ),
  onName(
    {
      name: 'ListAuditEvents',
      method: 'GET',
      path: '/audit-events',
      summary: 'Lists the changes, latest first: who did what, and when.',
      fields: {
        repository: optional(repositoryField),
        action: optional(textField('only this action', { max: 64 })),
        ...pageFields,
      },
      answer: { list: 'events', of: 'AuditEvent' },
    },
    async ({ limit, next, ...filters }, { registry, caller }) => {
      const page = await registry.audit.list(caller, { ...readPage({ limit, next }), ...filters });
      return { events: page.items.map(showAuditEvent), next: page.next };
    },
  ),
  onRegistry(
    {
      name: 'GetUsage',
      method: 'GET',
      path: '/usage',
      summary: 'Counts what the whole server keeps.',
      fields: {},
      answer: { kind: 'Usage' },
    },
    async (_input, { registry }) => registry.usage(),
  ),
];
