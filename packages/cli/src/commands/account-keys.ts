/** `seaworthy account key …`: the SSH and OpenPGP public keys of one's own account. */
import type { Command } from 'commander'
import { addAccountKey, listAccountKeys, removeAccountKey } from '@seaworthy/api/account-keys'
import { utf8Decode } from '@seaworthy/std/bytes'
import { TrustError } from '@seaworthy/std/refusal'
import { parsePublicKey, publicKeyLengthMax } from '@seaworthy/trust/public-keys'
import type { PersonKey } from '@seaworthy/trust/public-keys'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { tableOfKeys } from '../output/account-keys.ts'
import type { CliPorts } from '../ports.ts'
import { withConnection } from '../connection.ts'
import { readFileOrInput } from '../state/files.ts'

export function addAccountCommands(program: Command, ports: CliPorts): void {
  const account = program.command('account').description('your own account')
  const key = account
    .command('key')
    .description('your SSH and OpenPGP public keys; nothing is opened by them')
  key.command('list').description('list your keys').action(withContext(ports, list))
  key
    .command('add <file>')
    .description('add a public key, which waits until you confirm it in the browser')
    .requiredOption('--name <name>', 'how you call it, such as "work laptop"')
    .action(withContext(ports, add))
  key
    .command('remove <id>')
    .description('remove a key from your account')
    .action(withContext(ports, remove))
}

async function list(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const { items } = await client.call(listAccountKeys, {})
    context.show(items, () => tableOfKeys(context, items))
  })
}

async function add(context: Context, file: string, { name }: { name: string }): Promise<void> {
  const text = utf8Decode(await readFileOrInput(context.ports, file, publicKeyLengthMax * 4))
  // A private key does not leave this machine.
  const { publicKey, fingerprint } = await readKey(file, text)
  await withConnection(context, async ({ client, server }) => {
    const made = await client.call(addAccountKey, { body: { name, publicKey } })
    if (made.fingerprint !== fingerprint) {
      throw new CliError('refused', `the server added another key: ${made.fingerprint}`, {
        wayOut: `Remove it: \`seaworthy account key remove ${made.id}\`, and ask who runs the server.`,
      })
    }
    context.show(made, () => [
      ...context.fields([
        ['key', made.id],
        ['algorithm', made.algorithm],
        ['fingerprint', made.fingerprint],
      ]),
      made.confirmedAt === null
        ? `It counts once you have confirmed it: ${server.url}/account`
        : 'It counts from now on.',
    ])
  })
}

async function readKey(file: string, text: string): Promise<PersonKey> {
  try {
    return await parsePublicKey(text)
  } catch (cause) {
    if (!(cause instanceof TrustError)) throw cause
    throw new CliError('refused', `${file}: ${cause.message}`, {
      wayOut: 'Nothing was sent. Name the file of a public key.',
      cause,
    })
  }
}

async function remove(context: Context, accountKeyId: string): Promise<void> {
  await context.confirm(`Remove ${accountKeyId}?`)
  await withConnection(context, async ({ client }) => {
    await client.call(removeAccountKey, { params: { accountKeyId } })
    context.show({ removed: accountKeyId }, () => [`Removed ${accountKeyId}.`])
  })
}
