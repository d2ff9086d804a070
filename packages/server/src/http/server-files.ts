/** What the server says about itself outside of `/v1`. */
import { utf8Encode } from '@seaworthy/std/bytes'
import type { App } from '../app/app.ts'
import { checkReadiness } from '../app/worker/index.ts'
import { sendBytes, sendJson } from './request.ts'
import { describeEndpoints } from './openapi.ts'
import type { Endpoint, RawHandler } from './endpoint.ts'

const get = ['GET', 'HEAD'] as const

export function createServerFiles(app: App, endpoints: readonly Endpoint[]): readonly RawHandler[] {
  // Most workers are never asked for it, so none makes it in advance.
  let openapi: Promise<Uint8Array> | undefined
  const describe = async () =>
    utf8Encode(JSON.stringify(await describeEndpoints(endpoints, app.version), null, 2))
  const file = (
    prefix: string,
    contentType: string,
    read: () => Uint8Array | Promise<Uint8Array>,
  ): RawHandler => ({
    prefix,
    methods: get,
    answer: async (_req, res) => {
      const headers = { 'content-type': contentType, 'cache-control': 'no-cache' }
      sendBytes(res, 200, headers, await read())
    },
  })
  const ok = utf8Encode('ok\n')
  return [
    file('/openapi.json', 'application/json', () => (openapi ??= describe())),
    file('/ca.crt', 'application/x-x509-ca-cert', () => utf8Encode(app.certificate.current.caPem)),
    file('/healthz', 'text/plain; charset=utf-8', () => ok),
    {
      prefix: '/readyz',
      methods: get,
      answer: async (_req, res) => {
        const problems = await checkReadiness(app)
        sendJson(res, problems.length === 0 ? 200 : 503, { ready: problems.length === 0, problems })
      },
    },
  ]
}
