import type { Policy } from '../core/iam-policy.ts';

/** Who is asking, once that is proven. */
export interface Principal {
  /** 12 digits. */
  readonly account: string;
  /** `arn:aws:iam::<account>:user/<userName>`. */
  readonly arn: string;
  readonly accessKeyId: string;
  readonly userName: string;
  readonly policies: readonly Policy[];
}

export function userArn(account: string, userName: string): string {
  return `arn:aws:iam::${account}:user/${userName}`;
}
