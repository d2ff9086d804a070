/** One span for each request that is traced; without tracing nothing is done. */
import type { RequestListener } from 'node:http'
import type { App } from '../app/app.ts'
import { routeOf } from './metrics.ts'

/**
 * The same listener, run in a span that has the name of the route and the status, and nothing else
 * of the request.
 */
export function traceRequests({ tracer }: App, listener: RequestListener): RequestListener {
  if (tracer === undefined) return listener
  return (req, res) => {
    const span = tracer.begin('request', 'server', req.headers['traceparent']?.toString())
    res.once('close', () => {
      const route = routeOf(res)
      span.end({
        name: route,
        hasFailed: res.statusCode >= 500 || !res.writableFinished,
        attributes: {
          'http.request.method': methods.has(req.method ?? '') ? req.method! : '_OTHER',
          'http.route': route,
          'http.response.status_code': res.statusCode,
        },
      })
    })
    tracer.within(span, () => listener(req, res))
  }
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
