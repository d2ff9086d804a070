/**
 * Gets the server's certificate from an ACME authority, for the key that clients have pinned, and
 * keeps it fresh. What the authority sends is judged as a certificate from files is; until it is
 * good, the one before goes on.
 */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { rootCertificates } from 'node:tls'
import { httpsTransport } from '@seaworthy/oci/transport'
import { base64Decode, base64UrlDecode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { formatInstant, minuteMs, secondMs } from '@seaworthy/std/time'
import type { Config } from '../../config/config.ts'
import { deleteChallenges, findChallenge, storeChallenge } from '../../db/acme-challenges.ts'
import { appendAudit } from '../../db/audit-log.ts'
import { deleteSecret, insertSecret, readSecret } from '../../db/online-secrets.ts'
import { lockFirstStart, readFact, setFact } from '../../db/server-facts.ts'
import type { App } from '../app.ts'
import type { AcmeTrouble, ServerTls } from '../trust/index.ts'
import {
  CertificateError,
  judgeCertificate,
  loadServerTls,
  namesOf,
  readAcmeTrouble,
  readOperatorFile,
  requestCertificateFor,
  setAcmeTrouble,
} from '../trust/index.ts'
import { AcmeError } from './problems.ts'
import type { AccountBinding } from './protocol.ts'
import { asAcmeError, orderCertificate } from './protocol.ts'
import { isAbout, isFit, isOrderDue, orderableNames, waitAfterFailure } from './schedule.ts'

type Deps = Pick<App, 'clock' | 'db' | 'log' | 'masterKey' | 'random' | 'sleep'>

export type AcmeSettings = NonNullable<Config['acme']>

const accountKeyName = 'acme-account-key'
/** Authorities give 32 bytes; this much tells a key from a typing error. */
const bindingBytesMin = 16
const answerMs = 30 * secondMs
/** How long a notification takes to reach every worker, on a busy machine. */
const spreadMs = 3 * secondMs
const orderMs = 20 * minuteMs

/** Orders a certificate if one is due. Does nothing else, however often it is called. */
export async function renewByAcme(
  app: Deps,
  settings: AcmeSettings,
  signal: AbortSignal,
): Promise<void> {
  const { made, certificatePem, trouble } = await app.db.readSnapshot(async (tx) => ({
    made: await loadServerTls(tx, app.masterKey),
    certificatePem: await readFact(tx, 'acme-certificate'),
    trouble: await readAcmeTrouble(tx),
  }))
  const wanted = orderableNames(namesOf(made.certificatePem))
  const { pin } = made
  const last = isAbout(trouble, wanted, pin) ? trouble : undefined
  const keep = (next: AcmeTrouble | undefined) => app.db.write((tx) => setAcmeTrouble(tx, next))
  if (!isOrderDue({ certificatePem, wanted, pin, trouble: last, now: app.clock.now() })) {
    if (wanted.length === 0 && last === undefined) {
      await keep({ names: [], pin, failures: 0, message: noName, nextAt: null })
    } else if (last === undefined && trouble !== undefined) await keep(undefined)
    return
  }
  const failures = (last?.failures ?? 0) + 1
  const troubleOf = (message: string, retryAfterMs?: number): AcmeTrouble => {
    const waitMs = waitAfterFailure(failures, retryAfterMs, app.random)
    const nextAt = formatInstant(new Date(app.clock.now().getTime() + waitMs))
    return { names: wanted, pin, failures, message, nextAt }
  }
  // An order counts from its beginning, so that a server that dies or stops in it does not order
  // at each start.
  await keep(troubleOf('an order has begun, and has not ended yet'))
  try {
    const tls = await order(app, settings, made, wanted, signal)
    const ordered = { wanted, pin, now: app.clock.now() }
    if (!isFit(tls.certificatePem, ordered)) throw new AcmeError(unfit)
    await store(app, tls, wanted)
    app.log.info('acme.certificate-taken', { names: wanted, directory: settings.directory })
  } catch (error) {
    if (signal.aborted) return
    const known =
      error instanceof CertificateError
        ? new AcmeError(error.message)
        : asAcmeError(error, settings.directory)
    const next = troubleOf(known?.message ?? ownFault, known?.retryAfterMs)
    await keep(next)
    if (known?.isAccountRefused === true) await dropAccount(app)
    if (known === undefined) throw error
    app.log.warn('acme.failed', { names: wanted, why: next.message, nextAt: next.nextAt, error })
  }
}

const noName =
  'no authority makes a certificate for any of the server’s names: add one that the DNS knows with `seaworthy server name add`'
const unfit =
  'the certificate that the authority has sent is for other names, or would have to be renewed within the hour: choose another authority, or have it make certificates that live longer'
const ownFault = 'the order failed by a fault of this server, which its log names (task.failed)'

/** The answer to an open challenge: it is for the name that it is about, and for no other. */
export async function findAnswer(
  { reader }: Pick<Deps['db'], 'reader'>,
  { host, token }: { readonly host: string | undefined; readonly token: string },
): Promise<string | undefined> {
  const found = await findChallenge(reader, token)
  return found !== undefined && found.name === host ? found.answer : undefined
}

async function order(
  app: Deps,
  settings: AcmeSettings,
  made: ServerTls,
  names: readonly string[],
  signal: AbortSignal,
): Promise<ServerTls> {
  const { directory, email, caFile, challenge: kind } = settings
  const ca = caFile === null ? [] : await readRoots(caFile)
  const binding = await readBinding(settings)
  const { transport, close } = httpsTransport({
    idleTimeoutMs: answerMs,
    ca: [...ca, ...rootCertificates],
  })
  const ended = new AbortController()
  const late = new AbortController()
  app.sleep(orderMs, AbortSignal.any([signal, ended.signal])).then(
    () => late.abort(new AcmeError('the authority takes more than twenty minutes for one order')),
    () => undefined,
  )
  try {
    const requestPem = await requestCertificateFor(made, names)
    const chainPem = await orderCertificate(
      {
        ...{ directory, email, binding, names, kind },
        accountKey: createPrivateKey(await openAccountKey(app)),
        request: base64Decode(requestPem.replaceAll(/-----[^-]+-----|\s/g, '')),
        async publish(challenge) {
          await app.db.write((tx) => storeChallenge(tx, challenge))
          // Each worker makes the certificate once it has heard of it, and asks nobody in a
          // handshake.
          if (kind === 'tls-alpn-01') await app.sleep(spreadMs, signal)
        },
      },
      { transport, sleep: app.sleep, signal: AbortSignal.any([signal, late.signal]) },
    )
    return judgeCertificate(
      { certificateFile: null, chainPem, key: null },
      {
        names,
        now: app.clock.now(),
        madeKeyPem: made.keyPem,
        publicRoots: [...rootCertificates, ...ca],
      },
    )
  } catch (error) {
    if (late.signal.aborted) throw late.signal.reason
    throw error
  } finally {
    ended.abort()
    close()
    await app.db.write((tx) => deleteChallenges(tx))
  }
}

/** The roots in the file, one by one. */
async function readRoots(path: string): Promise<string[]> {
  const text = await readOperatorFile('--acme-ca', path)
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
}

/** What binds our account to one that the operator has with the authority. */
async function readBinding({ binding }: AcmeSettings): Promise<AccountBinding | null> {
  if (binding === null) return null
  const { keyId, keyFile } = binding
  const text = await readOperatorFile('--acme-binding-key', keyFile, { isSecret: true })
  try {
    const key = base64UrlDecode(text.trim().replace(/=+$/, ''))
    if (key.length >= bindingBytesMin) return { keyId, key }
  } catch {
    // The sentence below says it for every kind of damage.
  }
  throw new CertificateError(
    `--acme-binding-key ${keyFile} is no key in base64url: keep it there as the authority has shown it`,
  )
}

/** The key of our account, made and sealed when it is needed first. */
async function openAccountKey({ db, masterKey }: Deps): Promise<string> {
  const name = accountKeyName
  return db.write(async (tx) => {
    await lockFirstStart(tx)
    const stored = await readSecret(tx, name)
    if (stored !== undefined) return utf8Decode(masterKey.open(name, stored.version, stored.sealed))
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const sealed = masterKey.seal(name, 1, utf8Encode(pem))
    await insertSecret(tx, { name, version: 1, sealed, createdAt: await tx.now() })
    return pem
  })
}

/** The next order makes another account: the authority does not want this one. */
async function dropAccount({ db }: Deps): Promise<void> {
  await db.write(async (tx) => {
    await lockFirstStart(tx)
    const stored = await readSecret(tx, accountKeyName)
    if (stored !== undefined) await deleteSecret(tx, accountKeyName, stored.version)
  })
}

/** Keeps the new chain, unless the key was changed while it was made. */
async function store(
  { db, masterKey }: Deps,
  tls: ServerTls,
  names: readonly string[],
): Promise<void> {
  await db.write(async (tx) => {
    await lockFirstStart(tx)
    const { pin } = await loadServerTls(tx, masterKey)
    if (pin !== tls.pin) return
    await setFact(tx, 'acme-certificate', tls.certificatePem)
    await setFact(tx, 'acme-ca', tls.caPem)
    await appendAudit(tx, {
      actor: 'server',
      action: 'server.acme-certificate',
      subject: 'server',
      outcome: 'done',
      detail: { names: [...names], pin },
    })
    await setAcmeTrouble(tx, undefined)
  })
}
