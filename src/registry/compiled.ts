import type { Compilable, CompiledQuery, Kysely } from 'kysely';

/** A query that is built once and run often, with other parameters in the order in which they appear. */
export interface PreparedQuery<Row> {
  run(database: Pick<Kysely<never>, 'executeQuery'>, parameters: (string | number)[]): Promise<Row[]>;
}

/** `query` is built with any values; only their places count. */
export function prepareQuery<Row>(query: Compilable<Row>): PreparedQuery<Row> {
  const compiled: CompiledQuery<Row> = query.compile();
  const expected = compiled.parameters.length;
  return {
    async run(database, parameters) {
      if (parameters.length !== expected) throw new Error(`${expected} parameters expected, ${parameters.length} given`);
      const { rows } = await database.executeQuery<Row>({ ...compiled, parameters });
      return rows;
    },
  };
}

/** What one query found, until something changes in the database. */
export interface RememberedQuery<Value> {
  /** The first row's value; `undefined` without a row. */
  find(parameters: (string | number)[]): Value | undefined | Promise<Value | undefined>;
}

/** Most answers kept by one query; then it begins anew. */
const REMEMBERED = 5_000;

/**
 * A prepared query that remembers each answer until the next commit, whatever that changed: between two pushes the same few
 * rows are asked for thousands of times. Its values are shared, so they are frozen.
 */
export function rememberQuery<Row, Value extends object>(
  meta: { read: Pick<Kysely<never>, 'executeQuery'>; changes?: () => number },
  query: Compilable<Row>,
  toValue: (row: Row) => Value,
): RememberedQuery<Value> {
  const prepared = prepareQuery(query);
  const { changes } = meta;
  const known = new Map<string, Value>();
  let knownAt = changes?.();
  const ask = async (parameters: (string | number)[], key: string, before: number | undefined): Promise<Value | undefined> => {
    const [row] = await prepared.run(meta.read, parameters);
    if (row === undefined) return undefined;
    const value = Object.freeze(toValue(row));
    // Read beside a commit, it may be from before or after.
    if (changes !== undefined && before === changes() && before === knownAt) {
      if (known.size >= REMEMBERED) known.clear();
      known.set(key, value);
    }
    return value;
  };
  return {
    find(parameters) {
      const now = changes?.();
      if (now !== knownAt) {
        known.clear();
        knownAt = now;
      }
      const key = parameters.join('\n');
      return known.get(key) ?? ask(parameters, key, now);
    },
  };
}
