import { Fault } from '../core/fault.ts';

/** The ECS API's exceptions. Each function gives a fault to be thrown; a message is a finished sentence. */

export function ecsFault(code: string, message: string, resourceIds?: string[]): Fault<'ecs'> {
  return new Fault('ecs', { code, message, ...(resourceIds === undefined ? {} : { resourceIds }) });
}

export function clientException(message: string): Fault<'ecs'> {
  return ecsFault('ClientException', message);
}

export function invalidParameter(message: string): Fault<'ecs'> {
  return ecsFault('InvalidParameterException', message);
}

/** For what ECS has and this server has not: `message` says what to use instead. */
export function unsupported(message: string): Fault<'ecs'> {
  return ecsFault('UnsupportedFeatureException', message);
}

export function clusterNotFound(): Fault<'ecs'> {
  return ecsFault('ClusterNotFoundException', 'Cluster not found.');
}

export function serviceNotFound(): Fault<'ecs'> {
  return ecsFault('ServiceNotFoundException', 'Service not found.');
}
