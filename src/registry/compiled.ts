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
