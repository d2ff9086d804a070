/** Why no newer certificate came from an ACME authority, as it stands in the database. */
import { parseAnyJsonText } from '@seaworthy/std/json'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import { deleteFact, notifyCertificate, readFact, setFact } from '../../db/server-facts.ts'

export interface AcmeTrouble {
  /** The names and the pin that were ordered; a certificate for others is ordered at once. */
  readonly names: readonly string[]
  readonly pin: string
  readonly failures: number
  /** A sentence without its full stop. */
  readonly message: string
  /** When the next order is due; `null` where something must change before. */
  readonly nextAt: string | null
}

const fact = 'acme-trouble'

export async function readAcmeTrouble(tx: ReadTx): Promise<AcmeTrouble | undefined> {
  const text = await readFact(tx, fact)
  return text === undefined ? undefined : (parseAnyJsonText(text) as AcmeTrouble)
}

/** Tells every worker, which then shows it, or shows none any more. */
export async function setAcmeTrouble(tx: WriteTx, trouble: AcmeTrouble | undefined): Promise<void> {
  if (trouble === undefined) await deleteFact(tx, fact)
  else await setFact(tx, fact, JSON.stringify(trouble))
  await notifyCertificate(tx)
}

/** What `server certificate show` says of it. */
export function describeAcmeTrouble({ message, nextAt }: AcmeTrouble): string {
  return nextAt === null ? message : `${message}. The next order is due at ${nextAt}`
}
