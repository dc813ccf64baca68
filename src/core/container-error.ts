/**
 * What went wrong with one container, under the name that ECS gives to such a failure ("Stopped tasks error messages").
 * People see `<name>: <message>` as the container's `reason`.
 */
export type ContainerErrorName =
  | 'CannotPullContainerError'
  | 'CannotPullImageManifestError'
  | 'CannotCreateContainerError'
  | 'CannotStartContainerError'
  | 'CannotStopContainerError'
  | 'CannotInspectContainerError'
  | 'CannotCreateVolumeError'
  | 'ContainerNetworkingError'
  | 'ResourceInitializationError';

/**
 * An act of a container engine that failed in a way that a person can do something about. Every other error that an engine
 * lets out counts as a bug or as a machine in trouble, and is reported under the name of the act that it spoilt.
 */
export class ContainerError extends Error {
  readonly code: ContainerErrorName;
  /** Whether the same act may succeed a moment later: a refused connection, a 503; not an image that is not there. */
  readonly passing: boolean;

  /** `message` says what, where and what to do, without the code in front. */
  constructor(code: ContainerErrorName, message: string, options: { passing?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'ContainerError';
    this.code = code;
    this.passing = options.passing ?? false;
  }
}
