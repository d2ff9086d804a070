/** The secret of a one-time link, which is its fragment: browsers send that to nobody. */

/**
 * Takes the code out of the address, so that neither the history nor whoever looks at the screen
 * keeps it.
 */
export function takeLinkCode(
  { hash, pathname }: Pick<Location, 'hash' | 'pathname'>,
  history: Pick<History, 'replaceState'>,
): string | undefined {
  const code = /^#([0-9a-f]{64})$/.exec(hash)?.[1]
  if (code !== undefined) history.replaceState(null, '', pathname)
  return code
}
