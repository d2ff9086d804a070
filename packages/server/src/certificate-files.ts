/**
 * The files of an own certificate, read by the primary process alone: at the start, and again when
 * they change. Workers get what was judged good, so that none of them ever sees half a change.
 */
import { open } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import { describeSystemError } from '@seaworthy/std/system-errors'
import { secondMs } from '@seaworthy/std/time'
import type { Ports } from './app/app.ts'
import type { OwnCertificate, OwnTls, ServerTls } from './app/trust/index.ts'
import { CertificateError, judgeCertificate } from './app/trust/index.ts'
import type { Config } from './config/config.ts'

type Files = NonNullable<Config['tls']>

const bytesMax = 256 * 1024
const lookEveryMs = 5 * secondMs
/** Rights of a key file that let other accounts read it, or replace it. */
const modeForbidden = 0o027

/** Throws `CertificateError`. */
export async function readCertificateFiles(files: Files): Promise<OwnCertificate> {
  const { certificateFile, keyFile } = files
  const chainPem = await readBounded('--tls-certificate', certificateFile)
  if (keyFile === null) return { certificateFile, chainPem, key: null }
  const pem = await readBounded('--tls-key', keyFile, modeForbidden)
  return { certificateFile, chainPem, key: { file: keyFile, pem } }
}

async function readBounded(option: string, path: string, forbidden = 0): Promise<string> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    const why = describeSystemError(cause)
    if (why === undefined) throw cause
    throw new CertificateError(`${option} ${path} cannot be read: ${why}`, { cause })
  })
  try {
    const { mode, size } = await file.stat()
    if ((mode & forbidden) !== 0) {
      throw new CertificateError(
        `${option} ${path} is open to other accounts (mode ${(mode & 0o777).toString(8)}): close it with \`chmod 640 ${path}\`, and make the key anew if strangers could have read it`,
      )
    }
    if (size > bytesMax) throw new CertificateError(`${option} ${path} is too long for a PEM file`)
    return (await file.readFile()).subarray(0, bytesMax).toString('latin1')
  } finally {
    await file.close()
  }
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
