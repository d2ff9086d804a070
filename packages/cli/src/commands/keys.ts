/** `seaworthy key …`: the keys of people, made and kept on their own machine. */
import type { Command } from 'commander'
import { dirname, resolve } from 'node:path'
import { isTaken, makeFolders } from '@seaworthy/oci/folders'
import type { KeyAlgorithm } from '@seaworthy/trust/keys'
import { formatPublicKeyFile, generateKeyPair, keyId, sealKeyFile } from '@seaworthy/trust/keys'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { argon2id, readNamedKey, readNewPassphrase } from '../keys/key-files.ts'
import { oneOf } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import { writeDurably } from '../state/files.ts'

export function addKeyCommands(program: Command, ports: CliPorts): void {
  const key = program.command('key').description('make and look at signing keys')
  key
    .command('create <file>')
    .description('make a key pair: FILE (encrypted, mode 0600) and FILE.pub')
    .option('--algorithm <name>', 'ed25519 or p256', oneOf('ed25519', 'p256'), 'ed25519')
    .option('--pkcs11 <uri>', 'a key on a hardware token (not built in this version)')
    .option('--passphrase-file <file>', 'read the passphrase from the first line of a file')
    .action(withContext(ports, createKey))
  key
    .command('show <file>')
    .description('print key id, algorithm and public key; needs no passphrase')
    .action(withContext(ports, showKey))
}

interface CreateOptions {
  algorithm: KeyAlgorithm
  pkcs11?: string
  passphraseFile?: string
}

async function createKey(context: Context, file: string, options: CreateOptions): Promise<void> {
  if (options.pkcs11 !== undefined) {
    throw new CliError('failed', 'this version cannot use PKCS#11 tokens', {
      wayOut: 'Leave --pkcs11 out: the key is then kept in an encrypted file.',
    })
  }
  const { ports } = context
  const path = resolve(file)
  const publicPath = `${path}.pub`
  for (const taken of [path, publicPath]) {
    if (await isTaken(taken)) {
      throw new CliError('refused', `${taken} exists already`, {
        wayOut: 'Choose another name; keys are never overwritten.',
      })
    }
  }
  const passphrase = await readNewPassphrase(ports, file, options.passphraseFile)
  const { key, pkcs8 } = await generateKeyPair(options.algorithm)
  const sealed = await sealKeyFile(
    { key, pkcs8, passphrase, cost: ports.keyFileCost },
    { argon2id, random: ports.random },
  )
  pkcs8.fill(0)
  makeFolders(dirname(path))
  await writeDurably(path, sealed, { random: ports.random, isNew: true })
  await writeDurably(publicPath, await formatPublicKeyFile(key), {
    random: ports.random,
    mode: 0o644,
    isNew: true,
  })
  const id = await keyId(key)
  context.show({ keyId: id, key, file: path, publicFile: publicPath }, () => [
    ...context.fields([
      ['key id', id],
      ['algorithm', key.scheme],
      ['private key', `${path} (encrypted; keep it and its passphrase apart)`],
      ['public key', `${publicPath} (give it to whoever names you as a signer)`],
    ]),
  ])
}

async function showKey(context: Context, file: string): Promise<void> {
  const named = await readNamedKey(file)
  const publicKey = named.key.keyval.public
  context.show({ keyId: named.keyId, key: named.key, canSign: named.canSign }, () => [
    ...context.fields([
      ['key id', named.keyId],
      ['algorithm', named.key.scheme],
      ['file', named.canSign ? 'encrypted private key' : 'public key'],
      ['public key', publicKey.includes('\n') ? undefined : publicKey],
    ]),
    ...(publicKey.includes('\n') ? publicKey.trimEnd().split('\n') : []),
  ])
}
