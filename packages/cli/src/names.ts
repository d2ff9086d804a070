/**
 * Names that people choose, checked as they were typed: later they are parts of paths and roles,
 * and errors would be about those.
 */
import { isName, isVersion } from '@seaworthy/trust/tuf'
import { CliError } from './failure.ts'

const nameForm =
  'Take a-z, 0-9 and -, beginning with a letter, at most 63 characters; root, targets, snapshot and timestamp have a meaning already.'

/** Throws a usage error unless `text` can be the name of a product or a channel. */
export function requireName(what: 'product' | 'channel', text: string): void {
  if (isName(text)) return
  throw new CliError('usage', `${JSON.stringify(text)} cannot be the name of a ${what}`, {
    wayOut: nameForm,
  })
}

/** The same for a product and the version after it, which are easily swapped. */
export function requireVersionOf(product: string, version: string): void {
  if (!isName(product) && isName(version) && isVersion(product)) {
    throw new CliError('usage', `${JSON.stringify(product)} cannot be the name of a product`, {
      wayOut: `The product comes before the version: ${version} ${product}.`,
    })
  }
  requireName('product', product)
  if (isVersion(version)) return
  throw new CliError('usage', `${JSON.stringify(version)} cannot be a version`, {
    wayOut:
      'Take letters, digits and . _ + -, beginning with a letter or digit, at most 128 characters.',
  })
}
