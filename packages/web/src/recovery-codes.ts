/** Recovery codes as people type them off paper. */

/**
 * The one form that the server takes, seven groups of four characters with hyphens between them
 * (older codes have six); `undefined` when the text is not a code. Letters that look like digits
 * are read as those digits.
 */
export function normalizeRecoveryCode(text: string): string | undefined {
  const plain = text
    .toLowerCase()
    .replaceAll(/[\s–—-]/g, '')
    .replaceAll('o', '0')
    .replaceAll(/[il]/g, '1')
  if (!/^[0-9a-hjkmnp-tv-z]{24}(?:[0-9a-hjkmnp-tv-z]{4})?$/.test(plain)) return undefined
  return plain.match(/.{4}/g)!.join('-')
}
