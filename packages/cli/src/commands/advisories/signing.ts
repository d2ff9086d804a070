/**
 * `seaworthy advisory openpgp-key` and `sign`: OpenPGP signatures of what was published, by a key
 * that stays on this machine.
 */
import type { Command } from 'commander'
import { setAdvisoryKey, showPublisher } from '@seaworthy/api/advisories'
import type { AdvisoryPublisherView } from '@seaworthy/api/advisories'
import { utf8Decode } from '@seaworthy/std/bytes'
import { quoted } from '@seaworthy/std/printable'
import type { Signer } from '@seaworthy/trust/keys'
import {
  makeOpenPgpKey,
  openPgpSignatureLengthMax,
  parsePublicKey,
  publicKeyLengthMax,
} from '@seaworthy/trust/public-keys'
import { withConnection } from '../../connection.ts'
import type { Context } from '../../context.ts'
import { createContext } from '../../context.ts'
import { CliError } from '../../failure.ts'
import { createPassphraseSource, openSigner, readNamedKey } from '../../keys/key-files.ts'
import type { CliPorts } from '../../ports.ts'
import { readFileOrInput } from '../../state/files.ts'
import { sendSignature, signAll } from './sign-all.ts'

interface KeyOptions {
  key?: string
  passphraseFile?: string
}

export function addSigningCommands(group: Command, ports: CliPorts): void {
  group
    .command('openpgp-key')
    .description('say by which OpenPGP key documents are signed; its private half stays here')
    .option('--key <file>', 'a key file of `key create`, used for nothing else')
    .option('--passphrase-file <file>', 'read the passphrase of --key from a file')
    .option('--file <file>', 'an armoured public key, such as from `gpg --armor --export`')
    .action(async (options: KeyOptions & { file?: string }, command: Command) =>
      setKey(createContext(ports, command), options),
    )
  group
    .command('sign [name]')
    .description('sign what was published and has no signature yet')
    .option('--key <file>', 'the key file that `advisory openpgp-key` was given')
    .option('--passphrase-file <file>', 'read the passphrase of --key from a file')
    .option('--signature <file>', 'a signature of NAME that was made elsewhere, such as by gpg')
    .action(
      async (
        name: string | undefined,
        options: KeyOptions & { signature?: string },
        command: Command,
      ) => sign(createContext(ports, command), name, options),
    )
}

async function setKey(
  context: Context,
  { file, ...options }: KeyOptions & { file?: string },
): Promise<void> {
  if ((file === undefined) === (options.key === undefined)) {
    throw new CliError('usage', 'an OpenPGP key comes from --key or from --file: give one of them')
  }
  const signer = await openKey(context, options)
  const given =
    file === undefined
      ? undefined
      : utf8Decode(await readFileOrInput(context.ports, file, publicKeyLengthMax * 4))
  await withConnection(context, async ({ client }) => {
    const made =
      given === undefined
        ? await makeKey(context, await client.call(showPublisher, {}), signer!)
        : { publicKey: given }
    const { publicKey } = made
    // A private key does not leave this machine.
    const { fingerprint } = await parsePublicKey(publicKey)
    // Whose key it says it is came from the server, and the key signs that too.
    const whose = 'userId' in made ? `, which says that it is of ${quoted(made.userId)},` : ''
    await context.confirm(
      `Sign documents by ${fingerprint}${whose} from now on? Signatures of another key are taken away.`,
    )
    const view = await client.call(setAdvisoryKey, { body: { publicKey } })
    if (view.openPgpFingerprint !== fingerprint) {
      throw new CliError('refused', 'the server names another key than the one it was given', {
        wayOut: 'Ask who runs the server, and sign nothing until then.',
      })
    }
    context.show(view, () => [
      `Documents are signed by ${fingerprint}: \`seaworthy advisory sign --key FILE\` after each publication.`,
    ])
  })
}

async function makeKey(
  { ports }: Context,
  { name, contact }: AdvisoryPublisherView,
  signer: Signer,
): Promise<{ readonly publicKey: string; readonly userId: string }> {
  const address = contact.startsWith('mailto:') ? ` <${contact.slice('mailto:'.length)}>` : ''
  const userId = `${name}${address}`
  return { publicKey: await makeOpenPgpKey({ signer, userId, at: ports.clock.now() }), userId }
}

async function openKey(
  { ports }: Context,
  { key, passphraseFile }: KeyOptions,
): Promise<Signer | undefined> {
  if (key === undefined) return undefined
  const files = passphraseFile === undefined ? undefined : [passphraseFile]
  return openSigner(await readNamedKey(key), createPassphraseSource(ports, files))
}

async function sign(
  context: Context,
  name: string | undefined,
  { signature, ...options }: KeyOptions & { signature?: string },
): Promise<void> {
  if ((signature === undefined) === (options.key === undefined)) {
    throw new CliError('usage', 'a signature is made by --key, or is in --signature: give one')
  }
  if ((signature === undefined) !== (name === undefined)) {
    throw new CliError('usage', 'a name goes with --signature: --key signs all that has none')
  }
  const signer = await openKey(context, options)
  const made =
    signature === undefined
      ? undefined
      : utf8Decode(await readFileOrInput(context.ports, signature, openPgpSignatureLengthMax))
  await withConnection(context, async (connection) => {
    const signed: { name: string; version: number }[] =
      signer === undefined
        ? [await sendSignature(connection, { name: name!, signature: made! })]
        : await signAll(context, connection, signer)
    context.show(signed, () => [
      ...signed.map((one) => `Signed ${one.name}, version ${one.version}.`),
      ...(signed.length === 0 ? ['All that was published is signed.'] : []),
    ])
  })
}
