/** `schema.json`: what the tables of an export hold, written from the database and the code. */
import type { StoredTable } from '../../db/transfers.ts'
import { tableChoices } from '../../db/exported-tables.ts'

/** Each form of a column in JSON, by its type in PostgreSQL. */
const forms: Readonly<Record<string, string>> = {
  bytea: 'a text: \\x and two hex digits for each byte',
  'timestamp with time zone': 'a text: ISO 8601 in UTC with up to microseconds',
  bigint: 'an integer below 2^53',
  integer: 'an integer',
  smallint: 'an integer',
  'double precision': 'a number',
  text: 'a text',
  boolean: 'true or false',
  jsonb: 'any JSON',
  'text[]': 'a list of texts',
}

export function describeSchema(tables: readonly StoredTable[]): object {
  return {
    lines:
      'tables/NAME.jsonl has one JSON object a line for each row, in the order of the columns that `order` names.',
    forms,
    tables: Object.fromEntries(
      tables.map(({ name, columns, order }) => {
        const choice = tableChoices[name]!
        if ('leftOut' in choice) return [name, choice]
        const { about, hashes = '', sealed = '' } = choice
        const what = (column: string) => {
          if (hashes.split(' ').includes(column)) return { holds: 'hash of a secret, or its salt' }
          return sealed.split(' ').includes(column) ? { holds: 'secret, encrypted' } : {}
        }
        const described = columns.map(({ name: column, type, isNullable }) => [
          column,
          { type, ...(isNullable ? { nullable: true } : {}), ...what(column) },
        ])
        return [name, { about, order, columns: Object.fromEntries(described) }]
      }),
    ),
    leftOut: Object.fromEntries(
      Object.entries(tableChoices).flatMap(([name, choice]) =>
        'leftOut' in choice ? [[name, choice.leftOut]] : [],
      ),
    ),
  }
}
