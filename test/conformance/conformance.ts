import { badDigestTexts, brokenChunks, unknownSessions, wrongDigests } from './check-bad-uploads.ts';
import { blobReads, devUploads, mounts } from './check-blobs.ts';
import { deletes } from './check-deletes.ts';
import { empty } from './check-empty.ts';
import { badManifests, manifestReads, manifests, manyTags } from './check-manifests.ts';
import { badNames, nestedNames } from './check-names.ts';
import { manyReferrers, referrers } from './check-referrers.ts';
import { tagLists } from './check-tags.ts';
import { sessions, uploads } from './check-uploads.ts';
import { createRun, type ConformanceOptions, type Scenario } from './run.ts';

/** In this order: the first one wants nothing to be there. */
const scenarios: Record<string, Scenario> = {
  empty,
  uploads,
  sessions,
  'wrong-digests': wrongDigests,
  'bad-digest-texts': badDigestTexts,
  'unknown-sessions': unknownSessions,
  'broken-chunks': brokenChunks,
  'dev-uploads': devUploads,
  'blob-reads': blobReads,
  mounts,
  manifests,
  'manifest-reads': manifestReads,
  'bad-manifests': badManifests,
  'many-tags': manyTags,
  referrers,
  'many-referrers': manyReferrers,
  'tag-lists': tagLists,
  'nested-names': nestedNames,
  'bad-names': badNames,
  deletes,
};

/**
 * Checks a registry against the OCI distribution spec, from outside and over HTTP alone. Every check reports once:
 * `skip` is for an optional endpoint that says, in the way that the spec has for it, that it is not there.
 */
export async function runConformance(options: ConformanceOptions): Promise<void> {
  for (const [name, scenario] of Object.entries(scenarios)) {
    const run = createRun(options, name);
    try {
      await scenario(run);
    } catch (error) {
      run.check('done', false, error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    } finally {
      run.finish();
    }
  }
}
