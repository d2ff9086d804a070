/** Content codings, as a client and a server agree on one. */

/**
 * The first of the offered codings that the client accepts by name or by `*` (RFC 9110, 12.5.3). A
 * weight of zero forbids; other weights only say what a client prefers, and the smallest is best.
 */
export function chooseCoding<C extends string>(
  accepted: string,
  offered: readonly C[],
): C | undefined {
  const weights = new Map<string, boolean>()
  for (const part of accepted.slice(0, 1000).split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase())
    const isForbidden = parameters.some((text) => /^q=0(?:\.0{0,3})?$/.test(text))
    if (name !== '') weights.set(name, !isForbidden)
  }
  return offered.find((coding) => weights.get(coding) ?? weights.get('*') ?? false)
}
