/**
 * The certificate that one worker shows now. It changes while the server runs: another worker or
 * server has made a new one, or the files of an own certificate have changed.
 */
import type { Db } from '../../db/connection.ts'
import type { MasterKey } from '../../config/master-key.ts'
import type { ServedCertificate } from '../app.ts'
import { readNextKey } from './server-keys.ts'
import { loadServerTls } from './server-tls.ts'
import type { OwnTls, ServerTls } from './server-tls.ts'

export async function createServedCertificate(
  { db, masterKey }: { db: Pick<Db, 'readSnapshot'>; masterKey: MasterKey },
  { own: given, names }: { own: OwnTls | null; names: readonly string[] },
): Promise<ServedCertificate> {
  // A change of keys between two statements must not pair one key with the certificate of another.
  const load = () =>
    db.readSnapshot(async (tx) => ({
      made: await loadServerTls(tx, masterKey),
      announced: (await readNextKey(tx))?.pin ?? null,
    }))
  let own = given
  const first = own === null ? await load() : { made: own.tls, announced: null }
  let { made: current, announced: nextPin } = first
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
    get nextPin() {
      return nextPin
    },
    get isOwn() {
      return own !== null
    },
    get fault() {
      return own?.fault ?? null
    },
    async reload() {
      if (own !== null) return
      const { made, announced } = await load()
      if (own !== null) return
      nextPin = announced
      show(made)
    },
    take(next) {
      own = next
      nextPin = null
      show(next.tls)
    },
    onChange: (listener) => listeners.add(listener),
  }
}
