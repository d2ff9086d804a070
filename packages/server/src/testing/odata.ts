/** Questions of OData to a database without a server. */
import { readQuestion } from '@seaworthy/api/odata'
import type { Db } from '../db/connection.ts'
import type { FoundEntity, Reach } from '../db/odata/index.ts'
import { countEntities, listEntities } from '../db/odata/index.ts'

const all: Reach = {
  scope: { products: null, fleets: null },
  published: { products: [], channels: [] },
}
const read = (set: string, options: Readonly<Record<string, string>>) =>
  readQuestion(set, options, { now: new Date(0), pageSize: null }).question

export async function askDatabase(
  db: Db,
  set: string,
  options: Readonly<Record<string, string>>,
): Promise<FoundEntity[]> {
  return listEntities(db.questions, read(set, options), null, all)
}

export async function countInDatabase(
  db: Db,
  set: string,
  options: Readonly<Record<string, string>>,
): Promise<number> {
  return countEntities(db.questions, read(set, options), null, all)
}
