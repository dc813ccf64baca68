import type { Clock } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import type { ConditionContext } from '../core/iam-condition.ts';
import { evaluatePolicies, parsePolicy, type Policy } from '../core/iam-policy.ts';
import type { IdSource } from '../core/ids.ts';
import { createLruCache } from '../core/lru-cache.ts';
import type { MetaStore } from '../core/meta-store.ts';
import { createSigningKeyCache } from '../core/sigv4.ts';
import { createDownloadGrants, type DownloadGrants } from './download-grants.ts';
import { ensureFirstKey, type FirstKey } from './first-key.ts';
import { createKeys, sameSecret, type AccessKey, type AuditKeys, type Keys } from './keys.ts';
import type { Principal } from './principal.ts';
import type { AccessTables } from './schema.ts';
import { createSecrets, type Secrets } from './secrets.ts';
import { createServerSecret } from './server-secret.ts';
import { createTokens, type IssuedToken } from './tokens.ts';
import { verifySignature, type SignedRequest, type VerifiedSignature } from './verify-signature.ts';

export interface AccessOptions {
  meta: MetaStore<AccessTables>;
  clock: Clock;
  ids: IdSource;
  /** 12 digits. */
  account: string;
  /** The regions that a credential scope may name. */
  regions: readonly string[];
  /** Milliseconds; see `SignatureRules`. */
  signatureWindow?: number;
  publicHosts?: readonly string[];
  /** The audit log belongs to another room. */
  audit?: AuditKeys;
}

/** One thing that somebody wants to do. */
export interface AccessQuestion {
  principal: Principal;
  /** `ecr:PutImage`. */
  action: string;
  /** `*` for an action that has no resource. */
  resourceArn: string;
  resourcePolicies?: readonly Policy[];
  context?: Omit<ConditionContext, 'principal'>;
}

/** Who is asking, and whether they may. */
export interface Access {
  readonly keys: Keys;
  readonly downloads: DownloadGrants;
  readonly secrets: Secrets;
  ensureFirstKey(given: {
    accessKeyId?: string | undefined;
    secretAccessKey?: string | undefined;
  }): Promise<FirstKey | undefined>;
  /** Raises the faults of `verifySignature`. */
  authenticateSignature(
    request: SignedRequest,
    services: ReadonlySet<string>,
  ): Promise<VerifiedSignature & { principal: Principal }>;
  /** `AWS` and a token, or a key's id and secret. Raises `token-expired`, `unauthenticated`. */
  authenticateBasic(user: string, password: string): Promise<Principal>;
  /** Raises `key-unknown`. */
  issueToken(principal: Principal): Promise<IssuedToken>;
  verifyToken(password: string): Promise<Principal>;
  isAllowed(question: AccessQuestion): boolean;
  /** Raises `access-denied`. */
  authorize(question: AccessQuestion): void;
  /** `parsePolicy` for the policy of a resource, remembered. Raises `policy-invalid`. */
  readResourcePolicy(text: string): Policy;
}

const CACHED_POLICIES = 1_000;

export function createAccess(options: AccessOptions): Access {
  const { clock, account } = options;
  const keys = createKeys(options);
  const readSecret = createServerSecret(options);
  const tokens = createTokens({ keys, clock, readSecret });
  const signingKeys = createSigningKeyCache();
  const policies = createLruCache<string, Policy>(CACHED_POLICIES);

  const decide = ({ principal, action, resourceArn, resourcePolicies = [], context = {} }: AccessQuestion) =>
    evaluatePolicies({ identity: principal.policies, resource: resourcePolicies, principal, action, resourceArn, context });

  return {
    keys,
    downloads: createDownloadGrants({ clock, readSecret }),
    secrets: createSecrets({ ...options, readSecret }),
    issueToken: (principal) => tokens.issue(principal),
    verifyToken: (password) => tokens.verify(password),

    async ensureFirstKey(given) {
      const { first, touched } = await ensureFirstKey({ ...options, account }, given);
      for (const accessKeyId of touched) keys.forget(accessKeyId);
      return first;
    },

    async authenticateSignature(request, services) {
      let key: AccessKey | undefined;
      const verified = await verifySignature(request, {
        now: clock.now(),
        async findKey(accessKeyId) {
          key = await keys.find(accessKeyId);
          return key;
        },
        services,
        regions: options.regions,
        cache: signingKeys,
        ...(options.signatureWindow === undefined ? {} : { window: options.signatureWindow }),
        ...(options.publicHosts === undefined ? {} : { publicHosts: options.publicHosts }),
      });
      if (key === undefined) throw new Error('a signature verified without a key');
      keys.noteUse(verified.accessKeyId);
      return { ...verified, principal: key.principal };
    },

    async authenticateBasic(user, password) {
      if (user === 'AWS') return tokens.verify(password);
      const key = keys.peek(user) ?? (await keys.find(user));
      // Nobody's secret is empty, so an unknown key never matches, and takes as long.
      const matches = sameSecret(password, key?.secret ?? '');
      if (key === undefined || !matches || password === '') {
        throw new Fault('unauthenticated', { reason: 'neither AWS and a token, nor an access key and its secret' });
      }
      keys.noteUse(user);
      return key.principal;
    },

    isAllowed: (question) => decide(question) === 'allowed',

    authorize(question) {
      const decision = decide(question);
      if (decision === 'allowed') return;
      const { principal, action, resourceArn: resource } = question;
      const facts = { principal: principal.arn, action, resource };
      if (decision === 'denied') throw new Fault('access-denied', { ...facts, explicit: false });
      const alone = decide({ ...question, resourcePolicies: [] });
      throw new Fault('access-denied', {
        ...facts,
        explicit: true,
        deniedBy: alone === 'denied-explicitly' ? 'identity' : 'resource',
      });
    },

    readResourcePolicy(text) {
      const known = policies.get(text);
      if (known !== undefined) return known;
      const policy = parsePolicy(text, 'resource');
      policies.set(text, policy);
      return policy;
    },
  };
}
