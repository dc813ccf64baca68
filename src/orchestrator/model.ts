import type { Caller } from '../core/place.ts';

/**
 * An input of the ECS model whose shape has been checked: what the model requires is there. (The SDK's types let even
 * required members be undefined.)
 */
export type Given<T> = T extends Date | Uint8Array
  ? T
  : T extends (infer E)[]
    ? Given<E>[]
    : T extends object
      ? { [K in keyof T]: Given<Exclude<T[K], undefined>> }
      : T;

/** One operation of the ECS API: the model's own structures both ways. Raises the fault `ecs`. */
export type Operation<Request, Response> = (caller: Caller, input: Given<Request>) => Promise<Response>;
