import { Fault } from '../../core/fault.ts';
import { POLICY_LIMITS } from '../../lifecycle/policy.ts';
import type { Lifecycle, StoredPolicy } from '../../lifecycle/lifecycle.ts';
import { writePreviewDocument } from '../../lifecycle/preview-document.ts';
import type { Repository } from '../../registry/registry.ts';
import { flagField, optional, pageFields, readPage, repositoryField, textField } from './field.ts';
import { onName, onRepository, type ApiOperation } from './operation.ts';
import { showLifecyclePolicy, showLifecycleRun } from './resources.ts';
import { JsonText } from './send-text.ts';

const policyText = textField("the policy: ECR's JSON, as a string", { max: POLICY_LIMITS.maxCharacters });

export const lifecycleOperations: ApiOperation[] = [
  onRepository(
    {
      name: 'GetLifecyclePolicy',
      method: 'GET',
      path: '/lifecycle-policies',
      summary: "Gives a repository's lifecycle policy, and what in it is probably not meant.",
      fields: { repository: repositoryField },
      answer: { kind: 'LifecyclePolicy' },
    },
    async (_input, { lifecycle }, repository) => showPolicy(lifecycle, repository, await lifecycle.get(repository)),
  ),
  onRepository(
    {
      name: 'PutLifecyclePolicy',
      method: 'PUT',
      path: '/lifecycle-policies',
      summary: 'Keeps a lifecycle policy, switches it on and runs it. A run that would take nearly everything waits for a word.',
      fields: {
        repository: repositoryField,
        policy: policyText,
        run: optional(flagField('false: begin no run now; the next one is due within a minute')),
      },
      answer: { kind: 'LifecyclePolicy' },
    },
    async ({ policy, run = true }, { lifecycle, caller }, repository) =>
      showPolicy(lifecycle, repository, await lifecycle.put(caller, repository, policy, { run })),
  ),
  onRepository(
    {
      name: 'DeleteLifecyclePolicy',
      method: 'DELETE',
      path: '/lifecycle-policies',
      summary: 'Removes a lifecycle policy.',
      fields: { repository: repositoryField },
    },
    async (_input, { lifecycle, caller }, repository) => {
      await lifecycle.delete(caller, repository);
      return undefined;
    },
  ),
  onRepository(
    {
      name: 'SwitchLifecyclePolicy',
      method: 'PUT',
      path: '/lifecycle-switches',
      summary: 'Switches a lifecycle policy off, so that it runs on demand only, or on again.',
      fields: { repository: repositoryField, off: flagField('true: it runs on demand only') },
      answer: { kind: 'LifecyclePolicy' },
    },
    async ({ off }, { lifecycle, caller }, repository) =>
      showPolicy(lifecycle, repository, await lifecycle.setOff(caller, repository, off)),
  ),
  onRepository(
    {
      name: 'PreviewLifecyclePolicy',
      method: 'POST',
      path: '/lifecycle-previews',
      summary: 'Says what a policy would do now to every image, and why. Nothing is changed, and nothing kept.',
      fields: {
        repository: repositoryField,
        policy: optional({ ...policyText, help: "the policy to try (default: the repository's own)" }),
      },
      answer: { kind: 'LifecyclePreview' },
    },
    async ({ policy }, { lifecycle }, repository) =>
      new JsonText(writePreviewDocument(await lifecycle.explain(repository, policy))),
  ),
  onRepository(
    {
      name: 'RunLifecyclePolicy',
      method: 'POST',
      path: '/lifecycle-runs',
      summary: 'Carries out the policy now, and answers when that is done.',
      fields: {
        repository: repositoryField,
        confirm: optional(flagField('true: also where the run would take nearly everything')),
        policy: optional({ ...policyText, help: 'run only if this is the policy: what was seen in a preview' }),
      },
      answer: { kind: 'LifecycleRun' },
    },
    async ({ confirm = false, policy }, { lifecycle, caller }, repository) => {
      if (policy !== undefined && (await lifecycle.get(repository)).text !== policy)
        throw new Fault('request-invalid', { reason: 'The policy was changed since. Look at the preview again.' });
      return showLifecycleRun(await lifecycle.run(caller, repository, { confirmed: confirm }));
    },
  ),
  onName(
    {
      name: 'ListLifecycleRuns',
      method: 'GET',
      path: '/lifecycle-runs',
      summary: 'Lists the runs that changed something or that wait, latest first. The repository may be gone.',
      fields: { repository: repositoryField, ...pageFields },
      answer: { list: 'runs', of: 'LifecycleRun' },
    },
    async ({ repository, limit, next }, { lifecycle, caller }) => {
      const place = { account: caller.account, region: caller.region, name: repository };
      const page = await lifecycle.runs(place, readPage({ limit, next }));
      return { runs: page.items.map(showLifecycleRun), next: page.next };
    },
  ),
  onRepository(
    {
      name: 'UndoLifecycleRun',
      method: 'POST',
      path: '/lifecycle-undos',
      summary: 'Brings back what a run took, as long as it can be restored, and switches the policy off.',
      fields: { repository: repositoryField, run: textField("the run's id", { max: 128 }) },
      answer: { kind: 'UndoneLifecycleRun' },
    },
    async ({ run }, { lifecycle, caller }, repository) => lifecycle.undo(caller, repository, run),
  ),
];

async function showPolicy(lifecycle: Lifecycle, repository: Repository, policy: StoredPolicy): Promise<object> {
  return showLifecyclePolicy(policy, await lifecycle.warn(repository, policy.text));
}
