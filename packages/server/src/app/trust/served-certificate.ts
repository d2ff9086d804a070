/**
 * The certificate that one worker shows now. It changes while the server runs: another worker or
 * server has made a new one, or the files of an own certificate have changed.
 */
import type { Db } from '../../db/connection.ts'
import type { MasterKey } from '../../config/master-key.ts'
import type { ServedCertificate } from '../app.ts'
import { createSingleflight } from '../worker/index.ts'
import { describeAcmeTrouble, readAcmeTrouble } from './acme-trouble.ts'
import { readNextKey } from './server-keys.ts'
import { loadAcmeTls, loadServerTls } from './server-tls.ts'
import type { OwnTls, ServerTls } from './server-tls.ts'

export async function createServedCertificate(
  { db, masterKey }: { db: Pick<Db, 'readSnapshot'>; masterKey: MasterKey },
  {
    own: given,
    names,
    isByAcme,
  }: { own: OwnTls | null; names: readonly string[]; isByAcme: boolean },
): Promise<ServedCertificate> {
  // A change of keys between two statements must not pair one key with the certificate of another.
  const load = () =>
    db.readSnapshot(async (tx) => {
      const made = await loadServerTls(tx, masterKey)
      return {
        made: isByAcme ? await loadAcmeTls(tx, made) : made,
        announced: (await readNextKey(tx))?.pin ?? null,
        trouble: isByAcme ? await readAcmeTrouble(tx) : undefined,
      }
    })
  let own = given
  const first = own === null ? await load() : { made: own.tls, announced: null, trouble: undefined }
  let { made: current, announced: nextPin, trouble } = first
  const listeners = new Set<(tls: ServerTls) => void>()
  const show = (tls: ServerTls) => {
    const { certificatePem, keyPem, namedByPem } = current
    const isSame =
      tls.certificatePem === certificatePem &&
      tls.keyPem === keyPem &&
      tls.namedByPem === namedByPem
    if (isSame) return
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
    get isByAcme() {
      return own === null && current.certificatePem !== current.namedByPem
    },
    get isOwn() {
      return own !== null
    },
    get fault() {
      if (own !== null) return own.fault
      return trouble === undefined ? null : describeAcmeTrouble(trouble)
    },
    reload: createSingleflight(async () => {
      if (own !== null) return
      const found = await load()
      if (own !== null) return
      nextPin = found.announced
      trouble = found.trouble
      show(found.made)
    }),
    take(next) {
      own = next
      nextPin = null
      show(next.tls)
    },
    onChange: (listener) => listeners.add(listener),
  }
}
