/**
 * Addresses and networks (RFC 4291, RFC 4632): where a token may be used from. An IPv4 address that
 * is written as an IPv6 one (`::ffff:192.0.2.1`) is the IPv4 address.
 */

interface Address {
  readonly bits: 32 | 128
  readonly value: bigint
}

interface Network extends Address {
  readonly prefix: number
}

/** `undefined` for what is no address. A zone (`%eth0`) counts for nothing. */
function parseAddress(text: string): Address | undefined {
  const bare = text.split('%')[0]!
  if (!bare.includes(':')) return parseIPv4(bare)
  const value = parseIPv6(bare)
  if (value === undefined) return undefined
  return value >> 32n === 0xffffn ? { bits: 32, value: value & 0xffff_ffffn } : { bits: 128, value }
}

function parseIPv4(text: string): Address | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part))) {
    return undefined
  }
  if (parts.some((part) => Number(part) > 255)) return undefined
  return { bits: 32, value: parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n) }
}

function parseIPv6(text: string): bigint | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = halves.map(groupsOf)
  if (head === undefined) return undefined
  if (halves.length === 1) return head.length === 8 ? join(head) : undefined
  if (tail === undefined || head.length + tail.length > 7) return undefined
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => 0n)
  return join([...head, ...zeros, ...tail])
}

/** The groups of 16 bits; an IPv4 address at the end is two of them. */
function groupsOf(text: string): bigint[] | undefined {
  if (text === '') return []
  const groups: bigint[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    const last = index === parts.length - 1 ? parseIPv4(part) : undefined
    if (last !== undefined) groups.push(last.value >> 16n, last.value & 0xffffn)
    else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) groups.push(BigInt(`0x${part}`))
    else return undefined
  }
  return groups
}

const join = (groups: readonly bigint[]) => groups.reduce((sum, group) => (sum << 16n) | group, 0n)

/**
 * Reads `192.0.2.0/24`, `2001:db8::/32`, or a single address. `undefined` for anything else, such
 * as a network with bits beyond its prefix, which somebody has mistyped.
 */
function parseNetwork(text: string): Network | undefined {
  const [base = '', length, ...rest] = text.split('/')
  const address = parseAddress(base)
  if (address === undefined || rest.length > 0 || base.includes('%')) return undefined
  const isMapped = base.includes(':') && address.bits === 32
  if (length === undefined) return { ...address, prefix: address.bits }
  if (isMapped || !/^(?:0|[1-9]\d{0,2})$/.test(length)) return undefined
  const prefix = Number(length)
  if (prefix > address.bits) return undefined
  const hostBits = BigInt(address.bits - prefix)
  return (address.value >> hostBits) << hostBits === address.value
    ? { ...address, prefix }
    : undefined
}

/** Whether the text is an IPv4 or IPv6 network in CIDR form, without bits behind its prefix. */
export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== undefined
}

function contains(network: Network, { bits, value }: Address): boolean {
  const hostBits = BigInt(network.bits - network.prefix)
  return bits === network.bits && value >> hostBits === network.value >> hostBits
}

/** Whether the address is in one of the networks; `null` is everywhere. */
export function isWithinNetworks(networks: readonly string[] | null, address: string): boolean {
  if (networks === null) return true
  const parsed = parseAddress(address)
  if (parsed === undefined) return false
  return networks.some((text) => {
    const network = parseNetwork(text)
    return network !== undefined && contains(network, parsed)
  })
}

/** Whether all of `other` is in `own`, each network of it in a single one. */
export function coversNetworks(
  own: readonly string[] | null,
  other: readonly string[] | null,
): boolean {
  if (own === null) return true
  if (other === null) return false
  const mine = own.map(parseNetwork)
  return other.every((text) => {
    const network = parseNetwork(text)
    if (network === undefined) return false
    return mine.some(
      (one) => one !== undefined && one.prefix <= network.prefix && contains(one, network),
    )
  })
}
