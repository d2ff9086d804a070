/**
 * The first start on a database: keys, certificate, log, and one token for whoever reads the
 * output.
 */
import { rootCertificates } from 'node:tls'
import { heldBuiltIn } from '@seaworthy/fleet/access'
import { hexEncode } from '@seaworthy/std/bytes'
import { invariant } from '@seaworthy/std/refusal'
import { dayMs } from '@seaworthy/std/time'
import type { Config } from '../../config/config.ts'
import type { MasterKey } from '../../config/master-key.ts'
import { loadMasterKey } from '../../config/master-key.ts'
import { appendAudit } from '../../db/audit-log.ts'
import type { Db, WriteTx } from '../../db/connection.ts'
import { revokeAllInvitations } from '../../db/invitations.ts'
import { lockRights } from '../../db/rights.ts'
import { hasOwner, setFirstOwnerCode } from '../../db/first-owner.ts'
import { revokeAllProvisioningKeys } from '../../db/provisioning-keys.ts'
import { endAllSessions } from '../../db/sessions.ts'
import { hasSecrets } from '../../db/online-secrets.ts'
import { lockFirstStart, readFact, setFact } from '../../db/server-facts.ts'
import { revokeAllTokens, wasAnyTokenUsed } from '../../db/tokens.ts'
import type { Ports } from '../app.ts'
import { createLog, hashCode, issueToken } from '../access/index.ts'
import { onlineRoles, openOnlineKeys } from './online-keys.ts'
import type { OnlineSecrets } from './online-secrets.ts'
import { createOnlineSecrets, loadOnlineSecrets } from './online-secrets.ts'
import type { OwnCertificate } from './own-certificate.ts'
import { CertificateError, judgeCertificate } from './own-certificate.ts'
import type { ServerTls } from './server-tls.ts'
import {
  createServerTls,
  isNamedBy,
  loadServerTls,
  namesOf,
  renewCertificate,
} from './server-tls.ts'

const publicRoots = rootCertificates

const bootstrapLifetimeMs = 90 * dayMs

export interface Started {
  readonly secrets: OnlineSecrets
  /** What this server shows: its own certificate, or the operator's. */
  readonly tls: ServerTls
  /**
   * The first token. Until somebody has signed in for the first time, every start makes a new one
   * and ends the one before: a crash before it was read locks nobody out.
   */
  readonly bootstrapToken: string | null
  /**
   * The secret of the link by which somebody becomes the first owner. Until there is one, every
   * start makes a new secret and ends the one before.
   */
  readonly firstOwnerCode: string | null
}

/**
 * Idempotent; several hosts may start on one database at once. Throws `SealError` on a wrong master
 * key, `CertificateError` on a certificate that clients would refuse.
 */
export async function prepareServer(
  db: Db,
  config: Pick<
    Config,
    'masterKeyFile' | 'names' | 'listen' | 'renewsCertificate' | 'replacesPin' | 'endsCredentials'
  >,
  ports: Ports,
  own: OwnCertificate | null,
): Promise<Started> {
  const { random, log } = ports
  return db.write(async (tx) => {
    await lockFirstStart(tx)
    const now = await tx.now()
    const isFirst = !(await hasSecrets(tx))
    // When several hosts start at once, only the first may make a master key; the others need a
    // copy of it.
    const masterKey = await loadMasterKey(config.masterKeyFile, random, isFirst)
    if (isFirst) {
      await createOnlineSecrets(tx, masterKey, { now, random })
      await createServerTls(tx, masterKey, { names: namesWanted(config), now, random })
      await appendAudit(tx, {
        actor: 'server',
        action: 'server.first-start',
        subject: 'server',
        outcome: 'done',
      })
    }
    if (own === null) await ensureNamed(tx, config, ports)
    const tls = await chooseTls(tx, masterKey, config, own)
    if (config.endsCredentials) await endCredentials(tx, ports)
    const secrets = await loadOnlineSecrets(tx, masterKey)
    // A key that cannot be opened is reported now, not when the first timestamp expires.
    for (const role of onlineRoles) await openOnlineKeys(tx, masterKey, role)
    if (isFirst) {
      await createLog(tx, { signer: secrets.logSigner, origin: secrets.logOrigin }, now)
      log.info('server.first-start', { pin: tls.pin })
    }
    return {
      secrets,
      tls,
      bootstrapToken: await issueBootstrapToken(tx, ports, now),
      firstOwnerCode: await issueFirstOwnerCode(tx, ports),
    }
  })
}

/**
 * The configured names, and the listening address unless it is a wildcard: without a name, it is
 * what clients are told.
 */
function namesWanted({ names, listen }: Pick<Config, 'names' | 'listen'>): string[] {
  return ['0.0.0.0', '::'].includes(listen.host) ? [...names] : [...names, listen.host]
}

/** Refuses a name that the certificate lacks, or makes a new certificate with it. */
async function ensureNamed(
  tx: WriteTx,
  config: Pick<Config, 'names' | 'listen' | 'renewsCertificate'>,
  { random, log }: Ports,
): Promise<void> {
  const before = await readFact(tx, 'certificate')
  invariant(before !== undefined, 'the first start made the certificate')
  const wanted = namesWanted(config)
  if (wanted.every((name) => isNamedBy(before, name))) return
  if (!config.renewsCertificate) {
    const unnamed = config.names.filter((name) => !isNamedBy(before, name))
    if (unnamed.length === 0) {
      // A proxy with the right name may stand in front of the server.
      log.warn('server.listens-unnamed', { host: config.listen.host, names: namesOf(before) })
      return
    }
    const missing = unnamed.join(', ')
    throw new CertificateError(
      `the certificate of this server was made at its first start, for ${namesOf(before).join(', ')}. ` +
        `It does not name ${missing}, so clients would refuse it there. Start with --renew-certificate to get ` +
        'a new one under the same key: pins stay right, and whoever trusts /ca.crt fetches it anew. Or leave ' +
        `out ${unnamed.map((name) => `--name ${name}`).join(' ')}.`,
    )
  }
  const renewed = await renewCertificate(tx, before, {
    names: [...new Set([...wanted, ...namesOf(before)])],
    now: await tx.now(),
    random,
  })
  await appendAudit(tx, {
    actor: 'server',
    action: 'server.renew-certificate',
    subject: 'server',
    outcome: 'done',
    detail: { names: [...renewed.names] },
  })
  log.info('server.certificate-renewed', { names: renewed.names })
}

/**
 * The certificate to serve, under the key that clients have pinned. Each of them would refuse
 * another key, so only an explicit option brings one.
 */
async function chooseTls(
  tx: WriteTx,
  masterKey: MasterKey,
  config: Pick<Config, 'names' | 'replacesPin'>,
  own: OwnCertificate | null,
): Promise<ServerTls> {
  const made = await loadServerTls(tx, masterKey)
  const { names } = config
  const rules = { names, now: await tx.now(), madeKeyPem: made.keyPem, publicRoots }
  const tls = own === null ? made : judgeCertificate(own, rules)
  const pinned = (await readFact(tx, 'served-pin')) ?? (await findFirstPin(tx, made))
  if (pinned === tls.pin) return tls
  if (pinned !== undefined && !config.replacesPin) {
    throw new CertificateError(
      `this server would show the key ${tls.pin}, but command lines and devices were paired with ${pinned} and would refuse it. ` +
        'Have the certificate made for the present key (`seaworthy server certificate request`), or start once with --replace-pin and ' +
        'pair each command line again and change `pin` in each agent.json.',
    )
  }
  await setFact(tx, 'served-pin', tls.pin)
  if (pinned !== undefined) {
    await appendAudit(tx, {
      actor: 'server',
      action: 'server.replace-pin',
      subject: 'server',
      outcome: 'done',
      detail: { before: pinned, pin: tls.pin },
    })
  }
  return tls
}

/** A server on which nobody has signed in, and no device has registered, is pinned by nobody. */
async function findFirstPin(tx: WriteTx, made: ServerTls): Promise<string | undefined> {
  const isPaired = (await wasAnyTokenUsed(tx)) || (await hasOwner(tx))
  return isPaired ? made.pin : undefined
}

/**
 * A database from a backup still accepts what ended after the backup: revoked tokens, used
 * invitations, sessions of people who were disabled. They cannot be told from the others.
 */
async function endCredentials(tx: WriteTx, { log }: Ports): Promise<void> {
  const rights = await lockRights(tx)
  const now = await tx.now()
  const ended = {
    sessions: await endAllSessions(rights, now),
    invitations: await revokeAllInvitations(rights, now),
    tokens: await revokeAllTokens(rights, now),
    provisioningKeys: await revokeAllProvisioningKeys(rights, now),
  }
  await appendAudit(tx, {
    actor: 'server',
    action: 'server.end-credentials',
    subject: 'server',
    outcome: 'done',
    detail: ended,
  })
  log.info('server.credentials-ended', ended)
}

async function issueBootstrapToken(tx: WriteTx, ports: Ports, now: Date): Promise<string | null> {
  if (await wasAnyTokenUsed(tx)) return null
  await revokeAllTokens(await lockRights(tx), now)
  const issued = await issueToken(
    tx,
    ports,
    {
      name: 'bootstrap',
      ...heldBuiltIn('admin'),
      products: null,
      fleets: null,
      networks: null,
      lifetimeMs: bootstrapLifetimeMs,
      createdBy: 'server',
      holder: 'server',
    },
    now,
  )
  await appendAudit(tx, {
    actor: 'server',
    action: 'token.create',
    subject: issued.row.id,
    outcome: 'done',
    detail: { name: 'bootstrap', role: 'admin' },
  })
  return issued.token
}

async function issueFirstOwnerCode(tx: WriteTx, { random }: Ports): Promise<string | null> {
  if (await hasOwner(tx)) return null
  const code = hexEncode(random.bytes(32))
  await setFirstOwnerCode(tx, hashCode(code))
  return code
}
