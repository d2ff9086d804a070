/**
 * The certificate that one worker shows now. It changes while the server runs: another worker or
 * server has made a new one, or the files of an own certificate have changed.
 */
import type { Db } from '../../db/connection.ts'
import type { MasterKey } from '../../config/secrets.ts'
import type { ServedCertificate } from '../app.ts'
import { loadServerTls } from './server-tls.ts'
import type { OwnTls, ServerTls } from './server-tls.ts'

export async function createServedCertificate(
  { db, masterKey }: { db: Pick<Db, 'reader'>; masterKey: MasterKey },
  { own: given, names }: { own: OwnTls | null; names: readonly string[] },
): Promise<ServedCertificate> {
  let own = given
  let current = own?.tls ?? (await loadServerTls(db.reader, masterKey))
  const listeners = new Set<(tls: ServerTls) => void>()
  const show = (tls: ServerTls) => {
    if (tls.certificatePem === current.certificatePem && tls.keyPem === current.keyPem) return
    current = tls
    for (const listener of listeners) listener(tls)
  }
  return {
    namesGiven: names,
    get current() {
      return current
    },
    get isOwn() {
      return own !== null
    },
    get fault() {
      return own?.fault ?? null
    },
    async reload() {
      if (own !== null) return
      const made = await loadServerTls(db.reader, masterKey)
      if (own === null) show(made)
    },
    take(next) {
      own = next
      show(next.tls)
    },
    onChange: (listener) => listeners.add(listener),
  }
}
