/**
 * A mirror that the devices ask before the server, as they would ask one nearby. It is empty at
 * first, and later in hostile hands.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { plainHttp } from '@seaworthy/oci/plain-http'

export interface Mirror {
  readonly url: string
  /**
   * From now on every request gets other bytes, and a connection that breaks off before the last of
   * them.
   */
  turnHostile(): void
  /** How many downloads the mirror spoiled. */
  readonly spoiledCount: number
  close(): void
}

const spoiledBytes = 64 * 1024

export function startMirror(): Promise<Mirror> {
  let isHostile = false
  let spoiledCount = 0
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const isContent = request.url?.includes('/blobs/') === true
    if (!isHostile || !isContent) {
      response.writeHead(404).end()
      return
    }
    // A device that comes back to continue gets nothing more: what it already has can only be
    // thrown away.
    if (request.headers.range !== undefined) {
      response.destroy()
      return
    }
    spoiledCount++
    response.writeHead(200, { 'content-type': 'application/octet-stream' })
    response.write(Buffer.alloc(spoiledBytes, 'garbage '), () => response.destroy())
  }
  const server = plainHttp.createServer(answer)
  const mirror = (url: string): Mirror => ({
    url,
    turnHostile: () => (isHostile = true),
    get spoiledCount() {
      return spoiledCount
    },
    close() {
      server.close()
      server.closeAllConnections()
    },
  })
  return new Promise((resolve, reject) => {
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      resolve(mirror(`http://127.0.0.1:${port}`))
    })
  })
}
