import { parseTag } from '../src/core/tag.ts';
import { caller, createTestRegistry, imageManifest } from '../test/support/registry.ts';

/** What images cost without any wire: pulls, pushes, lists, on a database in the temporary folder. One process, one core. */
const ends: (() => unknown)[] = [];
const registry = await createTestRegistry({ after: (end) => void ends.push(end as () => unknown) });
const { images, context } = registry;

async function measure(name: string, count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  const started = process.hrtime.bigint();
  for (let index = 0; index < count; index++) await work(index);
  const microseconds = Number(process.hrtime.bigint() - started) / 1000;
  print(name, microseconds / count);
}

function print(name: string, microseconds: number): void {
  const rate = Math.round(1e6 / microseconds).toLocaleString('en');
  console.log(`${name.padEnd(64)} ${microseconds.toFixed(1).padStart(9)} µs  ${rate.padStart(9)}/s`);
}

/** Rows as many pushes would leave them, written at once. */
async function fill(name: string, count: number, options: { oneImage: boolean }) {
  const repository = await registry.create(name);
  const digest = await registry.push(repository, name, 'seed');
  const first = await images.resolve(repository, { digest });
  await context.meta.transact(async (transaction) => {
    const seed = await transaction
      .selectFrom('manifest')
      .selectAll()
      .where('repository_id', '=', repository.id)
      .executeTakeFirstOrThrow();
    for (let index = 0; index < count; index++) {
      let id = seed.id;
      if (!options.oneImage) {
        const { id: _, ...row } = seed;
        const inserted = await transaction
          .insertInto('manifest')
          .values({ ...row, digest: `sha256:${String(index).padStart(64, '0')}`, pushed_at: first.pushedAt + index })
          .returning('id')
          .executeTakeFirstOrThrow();
        id = inserted.id;
      }
      await transaction
        .insertInto('tag')
        .values({ repository_id: repository.id, name: `build-${index}`, manifest_id: id, updated_at: first.pushedAt })
        .execute();
    }
  });
  return repository;
}

const empty = await registry.create('bench/empty');
const tenThousand = await fill('bench/ten-thousand', 10_000, { oneImage: false });
const hundredThousand = await fill('bench/hundred-thousand', 100_000, { oneImage: false });
const digest = await registry.push(empty, 'read me', 'latest');
const latest = parseTag('latest');

await measure('warm up', 20_000, () => images.read(empty, latest));
await measure('read by tag', 100_000, () => images.read(empty, latest, { recordPull: true }));
await measure('read by digest', 100_000, () => images.read(empty, digest));
await measure('read 10,000 different tags', 10_000, (index) => images.read(tenThousand, parseTag(`build-${index}`)));

let next = 0;
const prepared: { body: Uint8Array }[] = [];
for (const repository of [empty, tenThousand]) {
  for (let index = 0; index < 6000; index++) await registry.addBlob(repository, `layer ${index}`);
  await registry.addBlob(repository, 'config');
}
for (let index = 0; index < 6000; index++)
  prepared.push(
    imageManifest('config', [`layer ${index}`, `layer ${index + 1}`, `layer ${index + 2}`], {
      annotations: { index: String(index) },
    }),
  );
const push = (repository: typeof empty) => async () => {
  const index = next++;
  await images.put(caller, repository, { body: prepared[index % 5990]?.body as Uint8Array, tags: [parseTag(`push-${index}`)] });
};
await measure('warm up', 500, push(empty));
// In turns, and by the middle: what else the machine does meets both alike.
const times = [empty, tenThousand].map((repository) => ({ repository, all: [] as number[] }));
for (let round = 0; round < 1200; round++) {
  for (const { repository, all } of times) {
    const started = process.hrtime.bigint();
    await push(repository)();
    all.push(Number(process.hrtime.bigint() - started) / 1000);
  }
}
for (const { repository, all } of times) {
  const middle = all.toSorted((one, other) => one - other)[all.length / 2] as number;
  print(`put into ${repository.name}, flushed to disk, median`, middle);
}
await measure('put of an image that is there already', 1000, () =>
  images.put(caller, empty, { body: prepared[501]?.body as Uint8Array, tags: [parseTag('push-501')] }),
);

await measure('page of 100 tags of 100,000', 100, () => images.tags(hundredThousand, { limit: 100 }));
await measure('page of 1,000 tags of 100,000', 100, () => images.tags(hundredThousand, { limit: 1000 }));
await measure('page of 10,000 tags of 100,000', 20, () => images.tags(hundredThousand, { limit: 10_000 }));
await measure('page of 100 images of 100,000', 100, () => images.list(hundredThousand, { limit: 100 }));
await measure('page of 1,000 images of 100,000', 20, () => images.list(hundredThousand, { limit: 1000 }));
await measure('page of untagged images where all 100,000 are tagged', 5, () =>
  images.list(hundredThousand, { limit: 100, tagStatus: 'UNTAGGED' }),
);
await measure('delete of a repository with 100,000 images', 1, () =>
  registry.repositories.delete(caller, hundredThousand, { force: true }),
);
for (const end of ends) await end();
