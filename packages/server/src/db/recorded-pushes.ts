/** Pushes to the registry that are entries of the log already. */
import type { ReadTx, WriteTx } from './connection.ts'

interface Push {
  readonly repository: string
  /** `undefined` for a push by digest. */
  readonly tag: string | undefined
  readonly digest: string
}

export async function isRecordedPush(
  { sql }: ReadTx,
  { repository, tag = '', digest }: Push,
): Promise<boolean> {
  const rows = await sql`
    select 1 from recorded_pushes
    where repository = ${repository} and tag = ${tag} and digest = ${digest}`
  return rows.length > 0
}

export async function setRecordedPush(
  { sql }: WriteTx,
  { repository, tag = '', digest }: Push,
): Promise<void> {
  if (tag !== '') {
    await sql`delete from recorded_pushes where repository = ${repository} and tag = ${tag}`
  }
  await sql`
    insert into recorded_pushes (repository, tag, digest) values (${repository}, ${tag}, ${digest})
    on conflict do nothing`
}

/** Forgets a tag, or a manifest with all its tags: pushing it again is a change. */
export async function deleteRecordedPushes(
  { sql }: WriteTx,
  {
    repository,
    ...what
  }: { readonly repository: string } & ({ readonly tag: string } | { readonly digest: string }),
): Promise<void> {
  if ('tag' in what) {
    await sql`delete from recorded_pushes where repository = ${repository} and tag = ${what.tag}`
  } else {
    await sql`
      delete from recorded_pushes where repository = ${repository} and digest = ${what.digest}`
  }
}
