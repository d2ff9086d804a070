/** `seaworthy login` and `seaworthy whoami`: pairing with a server, and who we are there. */
import type { Command } from 'commander'
import { createClient } from '@seaworthy/api/client'
import { showSelf, showServer } from '@seaworthy/api/server'
import { permissionsOf } from '@seaworthy/fleet/access'
import { isPin } from '@seaworthy/oci/transport'
import { LogError, parseNoteKey } from '@seaworthy/trust/tlog'
import type { Context } from '../context.ts'
import { createContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { harmless } from '../output/format.ts'
import type { CliPorts } from '../ports.ts'
import { logSettings, tokenPath, warnOfLog, withSession } from '../session.ts'
import { checkLog } from '../state/audit-log.ts'
import type { PairedServer } from '../state/config.ts'
import {
  checkServerName,
  configFolder,
  nameServer,
  readConfig,
  serverFolder,
  writeConfig,
} from '../state/config.ts'
import { makePrivateFolder, writeDurably } from '../state/files.ts'
import { anchorRoot } from '../trust/anchor.ts'

export function addLoginCommands(program: Command, ports: CliPorts): void {
  program
    .command('login <url>')
    .description(
      'pair this command line with a server; the whole line is printed by `seaworthy up`',
    )
    .option('--pin <sha256:…>', 'SHA-256 of the public key of the server certificate')
    .option('--token <token>', 'the API token; without it a hidden prompt asks')
    .option('--root <sha256:…>', 'SHA-256 of the first root.json, from the people who made it')
    .action(async (url: string, options: LoginOptions, command: Command) =>
      logIn(createContext(ports, command), url, options),
    )
  program
    .command('whoami')
    .description('show the server, the actor behind the token, and what is trusted')
    .action(async (_options: object, command: Command) => showActor(createContext(ports, command)))
}

interface LoginOptions {
  pin?: string
  token?: string
  root?: string
}

const rootForm = /^(?:sha256:)?([0-9a-f]{64})$/

async function logIn(context: Context, text: string, options: LoginOptions): Promise<void> {
  const { ports } = context
  const url = parseOrigin(text)
  if (options.pin !== undefined && !isPin(options.pin)) {
    throw new CliError('usage', '--pin is not of the form sha256:<43 characters>')
  }
  const rootDigest = options.root === undefined ? undefined : rootForm.exec(options.root)?.[1]
  if (options.root !== undefined && rootDigest === undefined) {
    throw new CliError('usage', '--root is not of the form sha256:<64 hexadecimal digits>')
  }
  const token = options.token ?? (await askToken(ports))
  const base = configFolder(ports, context.options.configDir)
  const config = await readConfig(base)
  const name =
    context.options.server === undefined ? nameServer(url) : checkServerName(context.options.server)
  const before = config.servers[name]
  const { transport, close } = ports.createTransport(
    options.pin === undefined ? {} : { pin: options.pin },
  )
  try {
    const client = createClient({ baseUrl: url, transport, token: () => token })
    const info = await client.call(showServer, {})
    await parseNoteKey(info.logVerifierKey)
    const self = await client.call(showSelf, {})
    if (before !== undefined && before.logVerifierKey !== info.logVerifierKey) {
      throw new CliError(
        'refused',
        `the audit log of ${name} has another key than the one remembered`,
        {
          wayOut: `Either this is another server (pair it under another name with --server), or its log was replaced.`,
        },
      )
    }
    const server: PairedServer = {
      url,
      logVerifierKey: info.logVerifierKey,
      ...(options.pin === undefined ? {} : { pin: options.pin }),
      ...(before?.rootDigest === undefined ? {} : { rootDigest: before.rootDigest }),
    }
    const folder = serverFolder(base, name)
    await makePrivateFolder(folder)
    try {
      await checkLog(logSettings(context, { server, folder, transport, token }))
    } catch (error) {
      // A restored server does not know the old token either: whoever has to find out why needs the
      // new one.
      if (!(error instanceof LogError)) throw error
      warnOfLog(context, error)
    }
    const anchored = await anchorRoot({ context, server, folder, transport, expected: rootDigest })
    const paired = anchored === undefined ? server : { ...server, rootDigest: anchored }
    await writeDurably(tokenPath(folder), `${token}\n`, { random: ports.random })
    await writeConfig(
      base,
      { current: name, servers: { ...config.servers, [name]: paired } },
      ports.random,
    )
    context.show(
      { server: name, ...paired, actor: self.actor, role: self.role, expiresAt: self.expiresAt },
      () => [
        `Paired with ${name} (${url}) as ${harmless(self.actor)}, role ${self.role}, until ${self.expiresAt}.`,
        ...(anchored === undefined
          ? [
              'The server has no trust root yet. Make keys with `seaworthy key create`, then run `seaworthy trust init`.',
            ]
          : [`Trust is anchored at root sha256:${anchored}.`]),
      ],
    )
  } finally {
    close()
  }
}

const urlForm = 'Give it as https://HOST:PORT, as in the line that `seaworthy up` printed.'

function parseOrigin(text: string): string {
  let url: URL
  try {
    url = new URL(text)
  } catch (cause) {
    throw new CliError('usage', `${JSON.stringify(text)} is not a URL`, { wayOut: urlForm, cause })
  }
  if (
    url.protocol !== 'https:' ||
    url.pathname !== '/' ||
    url.search !== '' ||
    url.hash !== '' ||
    url.username !== ''
  ) {
    throw new CliError('usage', `${JSON.stringify(text)} is not the URL of a server`, {
      wayOut: urlForm,
    })
  }
  return url.origin
}

async function askToken(ports: CliPorts): Promise<string> {
  if (!ports.prompt.isInteractive)
    throw new CliError('usage', 'no --token given, and nobody is there to type it', {
      wayOut:
        'Paste the whole line that `seaworthy up` printed, or ask an administrator for a token (`seaworthy token create`).',
    })
  const [token] = await ports.prompt.askSecrets(['Token: '])
  return token!.trim()
}

async function showActor(context: Context): Promise<void> {
  await withSession(
    context,
    async ({ name, server, client, log, logFault }) => {
      const self = await client.call(showSelf, {})
      const value = {
        server: name,
        url: server.url,
        ...self,
        rootDigest: server.rootDigest ?? null,
        logSize: log?.checkpoint.size ?? null,
      }
      context.show(value, () =>
        context.fields([
          ['server', `${name} (${server.url})`],
          ['actor', self.actor],
          ['role', self.role],
          ['may', permissionsOf(self.role).join(' ')],
          ['token until', self.expiresAt],
          [
            'trust root',
            server.rootDigest === undefined ? 'none yet' : `sha256:${server.rootDigest}`,
          ],
          [
            'audit log',
            logFault !== undefined
              ? 'NOT BELIEVED'
              : log === undefined
                ? 'empty'
                : `${log.checkpoint.size} entries, consistent with what was seen before`,
          ],
        ]),
      )
    },
    { mayLackLog: true },
  )
}
