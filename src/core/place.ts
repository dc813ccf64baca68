/** Every row belongs to an account and a region. */
export interface Place {
  /** 12 digits; on the ECR API this is the `registryId`. */
  readonly account: string;
  readonly region: string;
}

/** The place a call acts in, and who makes it (an ARN; for tag history and the audit log). */
export interface Caller extends Place {
  readonly principal: string;
}

export function repositoryArn(place: Place, repository: string): string {
  return `arn:aws:ecr:${place.region}:${place.account}:repository/${repository}`;
}
