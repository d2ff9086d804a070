/**
 * The files of an own certificate, read by the primary process alone: at the start, and again when
 * they change. Workers get what was judged good, so that none of them ever sees half a change.
 */
import { rootCertificates } from 'node:tls'
import { secondMs } from '@seaworthy/std/time'
import type { Ports } from './app/app.ts'
import type { OwnCertificate, OwnTls, ServerTls } from './app/trust/index.ts'
import { CertificateError, judgeCertificate, readOperatorFile } from './app/trust/index.ts'
import type { Config } from './config/config.ts'

type Files = NonNullable<Config['tls']>

const lookEveryMs = 5 * secondMs

/** Throws `CertificateError`. */
export async function readCertificateFiles(files: Files): Promise<OwnCertificate> {
  const { certificateFile, keyFile } = files
  const chainPem = await readOperatorFile('--tls-certificate', certificateFile)
  if (keyFile === null) return { certificateFile, chainPem, key: null }
  const pem = await readOperatorFile('--tls-key', keyFile, { isSecret: true })
  return { certificateFile, chainPem, key: { file: keyFile, pem } }
}

export interface CertificateWatch {
  /** Looks at the files at once. */
  look(): void
  stop(): Promise<void>
}

/**
 * Tells `onChange` when the files hold another certificate, or one that cannot be served; then the
 * one before goes on. Another key is not taken while the server runs: clients have pinned this one.
 */
export function watchCertificateFiles(
  options: { files: Files; names: readonly string[]; first: ServerTls; ports: Ports },
  onChange: (own: OwnTls) => void,
): CertificateWatch {
  const { files, names, ports } = options
  const { clock, log, sleep } = ports
  let good = options.first
  let fault: string | null = null
  let isStopping = false
  let nap = new AbortController()

  const judge = async (): Promise<ServerTls> => {
    const now = clock.now()
    const rules = { names, now, madeKeyPem: good.keyPem, publicRoots: rootCertificates }
    const found = judgeCertificate(await readCertificateFiles(files), rules)
    if (found.pin === good.pin) return found
    throw new CertificateError(
      `--tls-certificate ${files.certificateFile} is for another key than the one that clients have pinned: restart the server to have that judged`,
    )
  }
  const look = async () => {
    try {
      const found = await judge()
      if (found.certificatePem === good.certificatePem && fault === null) return
      good = found
      fault = null
      log.info('certificate.taken', { file: files.certificateFile })
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (message === fault) return
      fault = message
      log.error('certificate.refused', { why: message })
    }
    onChange({ tls: good, fault })
  }
  const keepLooking = async () => {
    for (;;) {
      nap = new AbortController()
      // A nap that is cut short ends with an error: somebody wants a look now, or the end.
      await sleep(lookEveryMs, nap.signal).catch(() => undefined)
      if (isStopping) return
      await look()
    }
  }
  const looking = keepLooking()
  return {
    look: () => nap.abort(),
    async stop() {
      isStopping = true
      nap.abort()
      await looking
    },
  }
}
