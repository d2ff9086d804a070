/** One bounded exchange with an identity provider whose certificate was verified. */
import { httpsTransport } from '@seaworthy/oci/transport'
import type { HttpRequest } from '@seaworthy/std/http'
import { readBody } from '@seaworthy/std/http'
import { secondMs } from '@seaworthy/std/time'
import { answerSeconds } from './provider-refusals.ts'

const answerBytesMax = 1024 * 1024

export interface ProviderResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Throws `TransportError`, `BodyTooLongError`. */
export async function exchange(
  caPem: string | null,
  request: HttpRequest,
): Promise<ProviderResponse> {
  const { transport, close } = httpsTransport({
    idleTimeoutMs: answerSeconds * secondMs,
    ...(caPem === null ? {} : { ca: caPem }),
  })
  try {
    const response = await transport(request)
    const bytes = await readBody(response, answerBytesMax)
    return { status: response.status, headers: response.headers, bytes }
  } finally {
    close()
  }
}
