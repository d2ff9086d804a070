/** What the server says about itself outside of `/v1`. */
import { utf8Encode } from '@seaworthy/std/bytes'
import type { App } from '../app/app.ts'
import { checkReadiness } from '../app/worker/index.ts'
import { sendBytes, sendJson } from './request.ts'
import { describeEndpoints } from './description.ts'
import type { Endpoint, RawHandler } from './endpoint.ts'

const get = ['GET', 'HEAD'] as const

export function createServerFiles(app: App, endpoints: readonly Endpoint[]): readonly RawHandler[] {
  const openapi = utf8Encode(JSON.stringify(describeEndpoints(endpoints, app.version), null, 2))
  const file = (prefix: string, contentType: string, read: () => Uint8Array): RawHandler => ({
    prefix,
    methods: get,
    answer: async (_req, res) =>
      sendBytes(res, 200, { 'content-type': contentType, 'cache-control': 'no-cache' }, read()),
  })
  const ok = utf8Encode('ok\n')
  return [
    file('/openapi.json', 'application/json', () => openapi),
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
