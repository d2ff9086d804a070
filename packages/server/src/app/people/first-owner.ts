/** The first owner: whoever opens the link that `up` printed, until there is an owner. */
import type { CreationOptions, NewPasskey } from '@seaworthy/api/ceremonies'
import { heldBuiltIn } from '@seaworthy/fleet/access'
import { newId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import type { ReadTx } from '../../db/connection.ts'
import type { RightsTx } from '../../db/rights.ts'
import { insertPerson } from '../../db/people.ts'
import { deleteFirstOwnerCode, getFirstOwnerCode, hasOwner } from '../../db/first-owner.ts'
import { hashCode, isSameSecret } from '../access/index.ts'
import type { App } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'
import type { JudgedPasskey } from './new-passkeys.ts'
import { askNewPasskey, judgeNewPasskey, storePasskey } from './new-passkeys.ts'
import type { Site } from './ceremonies.ts'
import type { Asked, OpenedSession, Visit } from './sessions.ts'
import { openSession } from './sessions.ts'

type Deps = Pick<App, 'db' | 'secrets' | 'clock' | 'random'>

/** Throws `owner_exists`, `first_owner_code_wrong`. */
export async function askFirstOwner(
  app: Deps,
  { code, name }: { code: string; name: string },
  site: Site,
  now: Date,
): Promise<Asked<CreationOptions>> {
  await checkCode(app.db.reader, code)
  const person = { id: newId('person', now, app.random), name }
  return askNewPasskey(app, doorOf(code), person, site, now)
}

export function judgeFirstOwner(
  app: Deps,
  code: string,
  answer: { passkey: NewPasskey; kept: string | undefined; site: Site },
): Promise<JudgedPasskey> {
  return judgeNewPasskey(app, doorOf(code), answer)
}

/** Throws `owner_exists`, `first_owner_code_wrong`, `challenge_used`. */
export async function becomeFirstOwner(
  tx: RightsTx,
  app: Pick<App, 'random'>,
  { code, name }: { code: string; name: string },
  judged: JudgedPasskey,
  visit: Visit,
): Promise<OpenedSession> {
  const now = await tx.now()
  await checkCode(tx, code)
  const { personId } = judged.ceremony
  const none = { email: null, disabledAt: null, lastSignInAt: null, products: null, fleets: null }
  const noProvider = { grantedByProvider: null }
  await insertPerson(tx, {
    ...none,
    ...noProvider,
    ...{
      id: personId,
      name,
      ...heldBuiltIn('owner'),
      createdAt: now,
      createdBy: 'server',
      letInBy: 'server',
    },
  })
  await deleteFirstOwnerCode(tx)
  await storePasskey(tx, app, judged, 'First passkey', now)
  return openSession(tx, app, personId, visit, now)
}

const doorOf = (code: string) =>
  ({ purpose: 'first-owner', about: Buffer.from(hashCode(code)).toString('hex') }) as const

async function checkCode(tx: ReadTx, code: string): Promise<void> {
  if (await hasOwner(tx)) {
    throw new Refusal<PersonRefusal>(
      'owner_exists',
      'this server has an owner: ask them for an invitation',
    )
  }
  const expected = await getFirstOwnerCode(tx)
  if (expected !== undefined && isSameSecret(expected, hashCode(code))) return
  throw new Refusal<PersonRefusal>(
    'first_owner_code_wrong',
    'this link is no longer valid: every start of the server prints a new one, beside the login line',
  )
}
