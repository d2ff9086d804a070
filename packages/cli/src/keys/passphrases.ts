/**
 * One reading of a passphrase, wherever it comes from: the same keys typed, stored in a file or put
 * into the environment open the same key.
 */
import { CliError } from '../failure.ts'

const passphraseBytesMax = 4096

/**
 * The first line, without its end and without a byte order mark in front. Throws `CliError` where
 * that is empty, too long, or was not UTF-8: a lost character would make it another passphrase.
 */
export function readPassphrase(text: Uint8Array | string, from: string): string {
  const refuse = (why: string): never => {
    throw new CliError('usage', `${from}: ${why}`, {
      wayOut:
        'A passphrase is one line of UTF-8, the same in a file, in SEAWORTHY_PASSPHRASE and typed.',
    })
  }
  const whole = typeof text === 'string' ? text : new TextDecoder('utf-8').decode(text)
  const line = whole.replace(/^\uFEFF/, '').split(/[\r\n]/, 1)[0]!
  if (line === '') return refuse('the passphrase, its first line, is empty')
  if (line.includes('\uFFFD')) return refuse('the passphrase is not UTF-8')
  if (Buffer.byteLength(line) > passphraseBytesMax) {
    return refuse(`the passphrase is longer than ${passphraseBytesMax} bytes`)
  }
  return line
}
