/** Bills of materials for a database, without the content of a release. */
import { compareNew, readSbom, storeSbom } from '../app/vulnerabilities/components.ts'
import type { Db } from '../db/connection.ts'

/** Takes the document in as the server does once it has fetched it, and compares what is new. */
export async function takeSbom(
  db: Db,
  release: {
    readonly product: string
    readonly version: string
    readonly platform: string
    readonly sha256: string
  },
  document: Uint8Array,
): Promise<void> {
  await storeSbom({ db }, release, readSbom(document))
  while (await compareNew({ db })) continue
}
