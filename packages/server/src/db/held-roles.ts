/** The roles of people, tokens and the like, as columns of their rows. */
import type { ReadTx } from './connection.ts'

/**
 * The columns of a row's roles, with what the custom ones among them say, so that one read of a row
 * yields its rights. `table` is the name of the row in the statement.
 */
export function roleColumns({ sql }: Pick<ReadTx, 'sql'>, table: string) {
  const row = sql(table)
  return sql`
    ${row}.role, ${row}.denied_by as "deniedBy",
    (select coalesce(json_agg(json_build_object('name', r.name, 'allows', r.allows, 'denies', r.denies)), '[]')
      from roles r where r.name = ${row}.role or r.name = any(${row}.denied_by)) as "customRoles"`
}
