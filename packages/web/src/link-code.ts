/** The secret of a one-time link, which is its fragment: browsers send that to nobody. */

const form = /^#([0-9a-f]{64})$/

export function isLinkCode(fragment: string): boolean {
  return form.test(fragment)
}

/**
 * Takes the code out of the address, so that neither the history nor whoever looks at the screen
 * keeps it.
 */
export function takeLinkCode(
  { hash, pathname }: Pick<Location, 'hash' | 'pathname'>,
  history: Pick<History, 'replaceState'>,
): string | undefined {
  const code = form.exec(hash)?.[1]
  if (code !== undefined) history.replaceState(null, '', pathname)
  return code
}
