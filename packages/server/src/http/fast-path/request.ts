/**
 * A check-in as our own agent sends it, recognised without Node's HTTP parser: nearly every request
 * that a server gets is one of these. Only what can be read in just one way is recognised; Node
 * reads it in the same way (`request.test.ts`).
 */
import { hostHeader } from '../request.ts'

export interface CheckInRequest {
  readonly bearer: string
  readonly body: string
}

const start = 'POST /v1/device/check-in HTTP/1.1\r\n'
const headersMax = 12
const printable = /^[!-~](?:[ -~]*[!-~])?$/
const bearerToken = /^Bearer [A-Za-z0-9._~+/=-]{1,4096}$/
const length = /^[1-9]\d{0,6}$/

/**
 * Reads `bytes`, as Latin-1, when they are exactly one whole request with a JSON body; otherwise
 * the answer is `undefined`.
 */
export function readCheckInRequest(bytes: string): CheckInRequest | undefined {
  if (!bytes.startsWith(start)) return undefined
  const seen = { host: '', type: '', authorization: '', length: '' }
  let at = start.length
  for (let count = 0; !bytes.startsWith('\r\n', at); count++) {
    const end = bytes.indexOf('\r\n', at)
    const colon = bytes.indexOf(': ', at)
    if (end < 0 || colon < 0 || colon > end || count === headersMax) return undefined
    const value = bytes.slice(colon + 2, end)
    switch (bytes.slice(at, colon).toLowerCase()) {
      case 'host':
        if (seen.host !== '' || !hostHeader.test(value)) return undefined
        seen.host = value
        break
      case 'content-type':
        if (seen.type !== '' || value !== 'application/json') return undefined
        seen.type = value
        break
      case 'authorization':
        if (seen.authorization !== '' || !bearerToken.test(value)) return undefined
        seen.authorization = value
        break
      case 'content-length':
        if (seen.length !== '' || !length.test(value)) return undefined
        seen.length = value
        break
      case 'connection':
        if (value !== 'keep-alive') return undefined
        break
      // No answer to a check-in is compressed, whatever encodings the client accepts.
      case 'accept-encoding':
      case 'accept':
      case 'user-agent':
        if (!printable.test(value)) return undefined
        break
      default:
        return undefined
    }
    at = end + 2
  }
  const body = bytes.slice(at + 2)
  if (seen.host === '' || seen.type === '' || seen.authorization === '') return undefined
  if (body.length !== Number(seen.length)) return undefined
  return { bearer: seen.authorization.slice('Bearer '.length), body }
}
