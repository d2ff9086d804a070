/**
 * The change from one key of the server to the next, in three steps: the next key is made and its
 * pin announced; clients keep both pins, and devices say so; then the server shows the next key and
 * the old one is destroyed. Each step is one transaction. The old key is all that vouches for the
 * next one: TLS can give no more, and no device runs anything because of it.
 */
import type { ServerKeyView } from '@seaworthy/api/server-keys'
import { utf8Encode } from '@seaworthy/std/bytes'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant, parseInstant } from '@seaworthy/std/time'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import { deleteSecret, insertSecret, readSecret } from '../../db/online-secrets.ts'
import {
  deleteFact,
  lockFirstStart,
  notifyCertificate,
  readFact,
  setFact,
} from '../../db/server-facts.ts'
import {
  countKeptPins,
  countTokensUsed,
  forgetKeptPins,
  listTokensUnused,
  listUnconfirmed,
  storeKeptPin,
} from '../../db/server-keys.ts'
import type { App } from '../app.ts'
import type { CertificateRefusal } from '../refusals.ts'
import { loadServerTls, namesOf, pinOf } from './server-tls.ts'

/** Devices and tokens that are named one by one; the rest is counted. */
const namedMax = 20

type Deps = Pick<App, 'certificate' | 'masterKey' | 'random'>

interface NextKey {
  readonly pin: string
  /** A certificate for the key, which holds its public half. */
  readonly certificatePem: string
  readonly announcedAt: Date
}

export async function readNextKey(tx: ReadTx): Promise<NextKey | undefined> {
  const certificatePem = await readFact(tx, 'next-certificate')
  const announcedAt = await readFact(tx, 'next-announced-at')
  if (certificatePem === undefined || announcedAt === undefined) return undefined
  return { pin: pinOf(certificatePem), certificatePem, announcedAt: parseInstant(announcedAt) }
}

/** Throws `Refusal<CertificateRefusal>`. */
export async function viewServerKey(
  { certificate }: Pick<App, 'certificate'>,
  tx: ReadTx,
  now: Date,
): Promise<ServerKeyView> {
  const { pin } = certificate.current
  const next = certificate.isOwn ? undefined : await readNextKey(tx)
  // Another worker has just made it the present one.
  if (next === undefined || next.pin === pin) return { pin, next: null }
  const since = next.announcedAt
  const { devices, confirmed, silent } = await countKeptPins(tx, { pin: next.pin, since })
  const { tokens, used } = await countTokensUsed(tx, { since, now })
  const unconfirmed = await listUnconfirmed(tx, next.pin, namedMax)
  const unused = await listTokensUnused(tx, { since, now }, namedMax)
  return {
    pin,
    next: {
      pin: next.pin,
      announcedAt: formatInstant(since),
      devices: {
        ...{ count: devices, confirmed, silent },
        unconfirmed: unconfirmed.map(({ id, name, seenAt }) => ({
          ...{ id, name, seenAt: seenAt && formatInstant(seenAt) },
        })),
      },
      tokens: {
        ...{ count: tokens, used },
        unused: unused.map(({ id, name, lastUsedAt }) => ({
          ...{ id, name, lastUsedAt: lastUsedAt && formatInstant(lastUsedAt) },
        })),
      },
    },
  }
}

/**
 * Makes the next key and announces its pin. One that is announced stays, unless another one is
 * wanted in its place. Throws `Refusal<CertificateRefusal>`.
 */
export async function announceNextKey(
  app: Deps,
  tx: WriteTx,
  { another }: { another: boolean },
): Promise<{ readonly pin: string; readonly isUnchanged: boolean }> {
  requireMadeHere(app)
  await lockFirstStart(tx)
  const before = await readNextKey(tx)
  if (before !== undefined && !another) return { pin: before.pin, isUnchanged: true }
  const now = await tx.now()
  const { certificatePem } = await loadServerTls(tx, app.masterKey)
  // The module is needed only when a certificate is made, so no worker loads it at its start.
  const { createCertificates } = await import('./make-certificate.ts')
  const made = await createCertificates({
    names: namesOf(certificatePem),
    now,
    random: app.random,
  })
  const stored = await readSecret(tx, 'tls-key-next')
  const version = (stored?.version ?? 0) + 1
  const sealed = app.masterKey.seal('tls-key-next', version, utf8Encode(made.keyPem))
  await insertSecret(tx, { name: 'tls-key-next', version, sealed, createdAt: now })
  if (stored !== undefined) await deleteSecret(tx, 'tls-key-next', stored.version)
  await setFact(tx, 'next-certificate', made.certificatePem)
  await setFact(tx, 'next-announced-at', formatInstant(now))
  await notifyCertificate(tx)
  return { pin: pinOf(made.certificatePem), isUnchanged: false }
}

/** Notes that the device keeps the announced pin. Throws `Refusal<CertificateRefusal>`. */
export async function confirmNextPin(tx: WriteTx, deviceId: string, pin: string): Promise<boolean> {
  const next = await readNextKey(tx)
  if (next?.pin !== pin) {
    throw new Refusal<CertificateRefusal>(
      'pin_not_announced',
      'the server does not announce this pin: it is no longer, or not yet, that of its next key',
    )
  }
  return storeKeptPin(tx, deviceId, pin, await tx.now())
}

/**
 * Makes the announced key the present one and destroys the old one, unless more devices than
 * `unconfirmedMax` would refuse it. Throws `Refusal<CertificateRefusal>`.
 */
export async function useNextKey(
  app: Deps,
  tx: WriteTx,
  wanted: { readonly pin: string; readonly unconfirmedMax: number },
): Promise<{ readonly before: string; readonly unconfirmed: number }> {
  requireMadeHere(app)
  await lockFirstStart(tx)
  const next = await readNextKey(tx)
  if (next?.pin !== wanted.pin) {
    throw new Refusal<CertificateRefusal>(
      'pin_not_announced',
      next === undefined
        ? 'no next key is announced: `seaworthy server key rotate` makes one'
        : `the next key is ${next.pin}, not the one that was meant: look again with \`seaworthy server key show\``,
    )
  }
  const now = await tx.now()
  const counts = await countKeptPins(tx, { pin: next.pin, since: next.announcedAt })
  const unconfirmed = counts.devices - counts.confirmed
  if (unconfirmed > wanted.unconfirmedMax) {
    throw new Refusal<CertificateRefusal>(
      'pin_unconfirmed',
      `${unconfirmed} of ${counts.devices} devices have not confirmed the next key and would refuse the server: ` +
        'wait until they have checked in (`seaworthy server key show`), or cut them off with ' +
        `\`seaworthy server key use-next --cut-off ${unconfirmed}\``,
    )
  }
  const old = await loadServerTls(tx, app.masterKey)
  await replaceKey(app, tx, now)
  const { recertify } = await import('./make-certificate.ts')
  const made = await recertify(next.certificatePem, {
    ...{ names: namesOf(old.certificatePem), now, random: app.random },
  })
  await setFact(tx, 'certificate', made.certificatePem)
  await setFact(tx, 'ca', made.caPem)
  await setFact(tx, 'served-pin', next.pin)
  await deleteFact(tx, 'next-certificate')
  await deleteFact(tx, 'next-announced-at')
  await forgetKeptPins(tx)
  await notifyCertificate(tx)
  return { before: old.pin, unconfirmed }
}

/** Seals the next key as the present one, and destroys the old one. */
async function replaceKey({ masterKey }: Deps, tx: WriteTx, now: Date): Promise<void> {
  const old = await readSecret(tx, 'tls-key')
  const next = await readSecret(tx, 'tls-key-next')
  if (old === undefined || next === undefined) {
    throw new Error('the database lacks the key of the server, or its next one')
  }
  const key = masterKey.open('tls-key-next', next.version, next.sealed)
  const version = old.version + 1
  const sealed = masterKey.seal('tls-key', version, key)
  await insertSecret(tx, { name: 'tls-key', version, sealed, createdAt: now })
  await deleteSecret(tx, 'tls-key', old.version)
  await deleteSecret(tx, 'tls-key-next', next.version)
}

function requireMadeHere({ certificate }: Pick<App, 'certificate'>): void {
  if (!certificate.isOwn) return
  throw new Refusal<CertificateRefusal>(
    'certificate_from_files',
    'the certificate comes from the files of --tls-certificate, which are for the present key: start without them, change the key, and have a certificate made for the next one',
  )
}
