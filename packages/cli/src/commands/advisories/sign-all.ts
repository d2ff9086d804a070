/**
 * Signs what was published and has no signature yet, each document after its signer has seen it.
 */
import { showNextUnsigned, signAdvisory } from '@seaworthy/api/advisories'
import { utf8Encode } from '@seaworthy/std/bytes'
import type { Signer } from '@seaworthy/trust/keys'
import { signOpenPgp } from '@seaworthy/trust/public-keys'
import type { Connection } from '../../connection.ts'
import type { Context } from '../../context.ts'
import { CliError } from '../../failure.ts'
import { formatCount } from '../../output/format.ts'
import { describeDocument } from './signed-document.ts'

/**
 * One after the other, each after a yes to what it says, and each as often as it is shown at most:
 * a yes to one document is none to what the server names after it.
 */
export async function signAll(
  context: Context,
  connection: Pick<Connection, 'client'>,
  signer: Signer,
) {
  const signed: { name: string; version: number }[] = []
  for (;;) {
    const { publicKey, count, next } = await connection.client.call(showNextUnsigned, {})
    if (publicKey === null) {
      throw new CliError('refused', 'nobody has said by which OpenPGP key documents are signed', {
        wayOut: 'Say so: `seaworthy advisory openpgp-key --key FILE`.',
      })
    }
    if (next === null) return signed
    const { name, version } = next
    if (signed.some((one) => one.name === name && one.version === version)) {
      throw new CliError('failed', `the server asks again for the signature of ${name}`, {
        wayOut: 'Look at what it publishes, and ask who runs it.',
      })
    }
    const document = utf8Encode(next.document)
    const write = context.options.json ? context.warn : context.say
    for (const line of describeDocument({ name, version, document })) write(line)
    const after = count > 1 ? ` ${formatCount(count - 1, 'document')} would follow.` : ''
    await context.confirm(`Sign ${name}, version ${version}, as it is above?${after}`)
    const at = context.ports.clock.now()
    const signature = await signOpenPgp({ signer, publicKey, at }, 'bytes', document)
    signed.push(await sendSignature(connection, { name, signature }))
  }
}

/** Gives the server a signature, which it verifies. */
export function sendSignature(
  { client }: Pick<Connection, 'client'>,
  body: { name: string; signature: string },
) {
  return client.call(signAdvisory, { body })
}
