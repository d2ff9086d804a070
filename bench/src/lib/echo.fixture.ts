/**
 * The baseline: Node's own HTTP server in a number of workers, which parses a JSON body and sends
 * it back. Prints its port.
 */
import cluster from 'node:cluster'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'

const [workers, keyFile, certificateFile] = process.argv.slice(2)

const answer: RequestListener = (request, response) => {
  let text = ''
  request.setEncoding('utf8')
  request.on('data', (part: string) => (text += part))
  request.on('end', () => {
    const body = JSON.stringify(JSON.parse(text))
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    })
    response.end(body)
  })
}

if (cluster.isPrimary) {
  let listening = 0
  cluster.on('listening', (_worker, { port }) => {
    if (++listening === Number(workers)) console.log(port)
  })
  for (let i = 0; i < Number(workers); i++) cluster.fork()
} else if (keyFile === undefined) {
  createServer(answer).listen(0, '127.0.0.1')
} else {
  const key = readFileSync(keyFile)
  const cert = readFileSync(certificateFile!)
  createTlsServer({ key, cert, minVersion: 'TLSv1.3' }, answer).listen(0, '127.0.0.1')
}
