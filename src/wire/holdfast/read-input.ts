import type { IncomingMessage } from 'node:http';
import { Fault } from '../../core/fault.ts';
import { isJsonObject, JsonError, parseJson, type Json, type JsonObject } from '../../core/json.ts';
import type { ApiOperation } from './operation.ts';
import { decode, type Match } from './operations.ts';

const MAX_PARAMETERS = 50;

/**
 * Brings path, query and body together. Parameters of the path come first, a query for reads and deletions, a JSON body
 * for the rest; a member given in two places is refused. Raises `parameter-invalid`, `body-invalid`.
 */
export function readInput({ operation, parameters }: Match, query: string, body: Uint8Array): JsonObject {
  const input: JsonObject = Object.create(null) as JsonObject;
  const add = (name: string, value: Json): void => {
    if (name in input) throw new Fault('parameter-invalid', { member: name.slice(0, 100), constraint: 'Is given twice' });
    input[name] = value;
  };
  const fromText = (name: string, text: string): Json =>
    Object.hasOwn(operation.fields, name) ? (operation.fields[name]?.fromText(text) ?? text) : text;
  for (const [name, text] of Object.entries(parameters)) add(name, fromText(name, text));
  for (const [name, text] of readQuery(query)) add(name, fromText(name, text));
  for (const [name, value] of Object.entries(readBody(operation, body))) add(name, value);
  return input;
}

/** Names and values, decoded, without `region`, which says where the call acts. */
function readQuery(query: string): [name: string, value: string][] {
  const pairs = query === '' ? [] : query.split('&').filter((pair) => pair !== '');
  if (pairs.length > MAX_PARAMETERS)
    throw new Fault('request-invalid', { reason: `The query has more than ${MAX_PARAMETERS} parameters.` });
  return pairs.map((pair) => splitPair(pair)).filter(([name]) => name !== 'region');
}

/** The region that the query names. Raises `parameter-invalid` where it names two. */
export function readRegion(query: string): string | undefined {
  const regions = query
    .split('&')
    .filter((pair) => pair.startsWith('region='))
    .map((pair) => splitPair(pair)[1]);
  if (regions.length > 1) throw new Fault('parameter-invalid', { member: 'region', constraint: 'Is given twice' });
  return regions[0];
}

function splitPair(pair: string): [name: string, value: string] {
  const equals = pair.indexOf('=');
  const name = decode((equals < 0 ? pair : pair.slice(0, equals)).replaceAll('+', ' '), 'query');
  return [name, equals < 0 ? '' : decode(pair.slice(equals + 1).replaceAll('+', ' '), name)];
}

function readBody(operation: ApiOperation, body: Uint8Array): JsonObject {
  if (body.length === 0) return {};
  if (operation.method === 'GET' || operation.method === 'DELETE')
    throw new Fault('body-invalid', { reason: `${operation.method} takes no body; write the members into the query.` });
  let value: Json;
  try {
    value = parseJson(body, 8);
  } catch (error) {
    if (error instanceof JsonError)
      throw new Fault('body-invalid', { reason: `The request's body cannot be read: ${error.message}.` });
    throw error;
  }
  if (!isJsonObject(value)) throw new Fault('body-invalid', { reason: "The request's body must be a JSON object." });
  return value;
}

/**
 * A page of another site can make a browser send what it has remembered of a login; such a request says where it comes
 * from. Raises `request-invalid`.
 */
export function refuseForeignPages(request: IncomingMessage): void {
  const { origin, host } = request.headers;
  if (origin !== undefined && URL.parse(origin)?.host !== host?.toLowerCase()) {
    throw new Fault('request-invalid', { reason: 'Requests from pages of other sites are not answered.' });
  }
}
