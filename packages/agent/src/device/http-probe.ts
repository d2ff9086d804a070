/**
 * Asks a URL whenever a line comes in; any answer from 200 to 399 is healthy. The answer's status
 * is told, and nothing else of it is kept.
 */
import type { IncomingMessage } from 'node:http'
import { get as getTls } from 'node:https'
import { plainHttp } from '@seaworthy/oci/plain-http'

const timeoutMs = 10_000

/** `healthy`, or `unhealthy` with a few words. */
function probe(url: string): Promise<string> {
  return new Promise((resolve) => {
    const isTls = url.startsWith('https:')
    const options = {
      timeout: timeoutMs,
      agent: false,
      headers: { 'user-agent': 'seaworthy-agent' },
    } as const
    const onResponse = (response: IncomingMessage) => {
      const { statusCode } = response
      response.destroy()
      const isHealthy = statusCode !== undefined && statusCode >= 200 && statusCode < 400
      resolve(isHealthy ? 'healthy' : `unhealthy status ${statusCode}`)
    }
    // A local service may have its own certificate: the probe asks whether it is alive, not who it
    // is.
    const request = isTls
      ? getTls(url, { ...options, rejectUnauthorized: false }, onResponse)
      : plainHttp.get(url, options, onResponse)
    request.on('timeout', () => {
      resolve('unhealthy no answer')
      request.destroy()
    })
    request.on('error', (error) =>
      resolve('code' in error ? `unhealthy ${String(error.code)}` : 'unhealthy'),
    )
  })
}

/** Serves probes until the input ends. */
export async function serveProbe(
  url: string,
  input: AsyncIterable<unknown>,
  write: (text: string) => void,
): Promise<void> {
  for await (const _line of input) write(`${await probe(url)}\n`)
}
