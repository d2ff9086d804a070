/** What a server can be called. */
import { isIP } from 'node:net'

const hostForm =
  /^(?=.{1,253}$)[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/

/**
 * Why clients cannot put a name into a URL that then means this server; `undefined` where they can.
 */
export function findNameFault(name: string): string | undefined {
  if (!hostForm.test(name) && isIP(name) === 0) {
    return `${name} is no host name or address that a certificate can have; give it without scheme, port, * and _`
  }
  const url = URL.parse(`https://${isIP(name) === 6 ? `[${name}]` : name}`)
  if (url === null) return `no client can ask for https://${name}`
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (isIP(name) === 0 && host !== name.toLowerCase()) {
    return `clients take ${name} for the address ${host}: give that`
  }
  if (host === '0.0.0.0' || host === '::') {
    return `${name} means every address of this machine, to which no client can connect: give the address or name that clients use`
  }
  return undefined
}
