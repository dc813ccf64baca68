import { digestField, pageFields, readPage, repositoryField } from './field.ts';
import { onName, onRepository, type ApiOperation } from './operation.ts';
import { showDeletedImage } from './resources.ts';

export const imageOperations: ApiOperation[] = [
  onName(
    {
      name: 'ListDeletedImages',
      method: 'GET',
      path: '/deleted-images',
      summary: 'Lists the deleted images that can still be restored, latest first. The repository may be gone.',
      fields: { repository: repositoryField, ...pageFields },
      answer: { list: 'images', of: 'DeletedImage' },
    },
    async ({ repository, limit, next }, { registry, caller }) => {
      const place = { account: caller.account, region: caller.region, name: repository };
      const page = await registry.images.listDeleted(place, readPage({ limit, next }));
      return { images: page.items.map(showDeletedImage), next: page.next };
    },
  ),
  onRepository(
    {
      name: 'RestoreImage',
      method: 'POST',
      path: '/image-restores',
      summary: 'Puts a deleted image back, with those of its tags that nobody took since.',
      fields: { repository: repositoryField, digest: digestField },
      answer: { kind: 'RestoredImage' },
    },
    async ({ digest }, { registry, caller }, repository) => {
      const { tags, tagsTaken } = await registry.images.restore(caller, repository, digest);
      return { repository: repository.name, digest, tags, tagsTaken };
    },
  ),
];
