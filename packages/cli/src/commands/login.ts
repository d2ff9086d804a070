/** `seaworthy login` and `seaworthy whoami`: pairing with a server, and who we are there. */
import type { Command } from 'commander'
import { createClient } from '@seaworthy/api/client'
import { showSelf, showServer } from '@seaworthy/api/server'
import type { Transport } from '@seaworthy/std/http'
import { isPin } from '@seaworthy/std/pins'
import { LogError, parseNoteKey } from '@seaworthy/trust/tlog'
import type { Context } from '../context.ts'
import { createContext, withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { harmless } from '../output/format.ts'
import { takeOptions } from '../option-use.ts'
import { collect, durationWithDefault, roleOption } from '../options.ts'
import { rolesOfTokens } from '../output/roles.ts'
import type { WantedToken } from '../pairing.ts'
import { pair } from '../pairing.ts'
import type { CliPorts } from '../ports.ts'
import { logSettings, warnOfForgottenLog, warnOfLog, withConnection } from '../connection.ts'
import { requireTokenPlace, storeToken } from '../state/token.ts'
import { checkLog } from '../state/audit-log.ts'
import type { PairedServer } from '../state/servers.ts'
import {
  changeConfig,
  checkServerName,
  configFolder,
  nameServer,
  readConfig,
  serverFolder,
  withServer,
} from '../state/servers.ts'
import { makePrivateFolder } from '../state/files.ts'
import { forgetServerPins } from '../state/server-pins.ts'
import { anchorRoot, parseRootOption } from '../trust/anchor.ts'

export function addLoginCommands(program: Command, ports: CliPorts): void {
  program
    .command('login <url>')
    .description(
      'pair this command line with a server: by the line that `seaworthy up` printed, or by a code that you type into the server’s page',
    )
    .option('--pin <sha256:…>', 'SHA-256 of the public key of the server certificate')
    .option('--token [token]', 'the API token; without a value a hidden prompt asks')
    .option('--pair', 'ask for a token in the browser; the default where there is no --token')
    .option('--role <role>', `role to ask for: ${rolesOfTokens}`, roleOption)
    .option('--product <name>', 'limit the token to this product, repeatable', collect)
    .option('--fleet <name>', 'limit the token to this fleet, repeatable', collect)
    .addOption(
      durationWithDefault('--expires <duration>', 'lifetime to ask for, for example 7d', {
        least: '1m',
        most: '366d',
        standard: '30d',
      }),
    )
    .option('--root <sha256:…>', 'SHA-256 of the first root.json, from the people who made it')
    .action(async (url: string, options: LoginOptions, command: Command) => {
      if (options.token !== undefined) {
        takeOptions<LoginOptions>(command, 'a token that is there already', [
          ...(['pin', 'token', 'pair', 'root'] as const),
        ])
      }
      await logIn(createContext(ports, command), url, options)
    })
  program
    .command('whoami')
    .description('show the server, the actor behind the token, and what is trusted')
    .action(withContext(ports, showActor))
}

interface LoginOptions extends WantedToken {
  pin?: string
  /** True for a token that is to be typed. */
  token?: string | true
  pair?: boolean
  root?: string
}

async function logIn(context: Context, text: string, options: LoginOptions): Promise<void> {
  const { ports } = context
  const url = parseOrigin(text)
  if (options.pin !== undefined && !isPin(options.pin)) {
    throw new CliError('usage', '--pin is not of the form sha256:<43 characters>')
  }
  const rootDigest = options.root === undefined ? undefined : parseRootOption(options.root)
  const givenToken = await readToken(ports, options)
  const base = configFolder(ports, context.options.configDir)
  const name =
    context.options.server === undefined ? nameServer(url) : checkServerName(context.options.server)
  const before = (await readConfig(base)).servers[name]
  const folder = serverFolder(base, name)
  await makePrivateFolder(folder)
  await requireTokenPlace(folder, ports)
  const connected = ports.createTransport(options.pin === undefined ? {} : { pin: options.pin })
  const { close } = connected
  const transport: Transport = (request) =>
    connected.transport({ ...request, signal: request.signal ?? ports.signal })
  try {
    const stranger = createClient({ baseUrl: url, transport })
    const token = givenToken ?? (await pair(context, stranger, options))
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
    let isLogSeen = before?.logSeen === true
    try {
      const log = await checkLog(logSettings(context, { server, folder, transport, token }))
      warnOfForgottenLog(context, { name, folder, log, server: before })
      isLogSeen ||= log !== undefined
    } catch (error) {
      // A restored server does not know the old token either, and whoever investigates needs the
      // new one.
      if (!(error instanceof LogError)) throw error
      warnOfLog(context, error)
    }
    const anchored = await anchorRoot({
      ...{ context, server, folder, transport },
      expected: rootDigest,
      restores: true,
    })
    const paired: PairedServer = {
      ...server,
      ...(anchored === undefined ? {} : { rootDigest: anchored }),
      ...(isLogSeen ? { logSeen: true } : {}),
    }
    await changeConfig(ports, base, async (config) => {
      const changed = { ...withServer(config, name, paired), current: name }
      await forgetServerPins(folder)
      await storeToken(folder, token, ports)
      return changed
    })
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

/** The token, or `undefined` where a person in a browser is to give one. */
async function readToken(ports: CliPorts, options: LoginOptions): Promise<string | undefined> {
  const { token: given, pair: isPaired = false } = options
  if (given !== undefined && isPaired) {
    throw new CliError('usage', '--token and --pair exclude each other')
  }
  if (typeof given === 'string') return given
  const { isInteractive } = ports.prompt
  // A script without a token must not wait for a person.
  if (!isInteractive && !isPaired) {
    throw new CliError('usage', 'no --token given, and nobody is there to type it', {
      wayOut:
        'Paste the whole line that `seaworthy up` printed, ask an administrator for a token (`seaworthy token create`), or use --pair and a browser.',
    })
  }
  if (given === undefined) return undefined
  const [token] = await ports.prompt.askSecrets(['Token: '])
  return token!.trim()
}

async function showActor(context: Context): Promise<void> {
  await withConnection(
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
      context.show(value, () => [
        ...context.fields([
          ['server', `${name} (${server.url})`],
          ['actor', self.actor],
          ['role', self.role],
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
                : log.verdict.kind === 'first_seen'
                  ? `${log.checkpoint.size} entries, seen for the first time`
                  : `${log.checkpoint.size} entries, consistent with what was seen before`,
          ],
        ]),
        '',
        'The token may:',
        ...context.fields(permissionsByNoun(self.permissions)),
      ])
    },
    { mayLackLog: true },
  )
}

/** `device:read` and `device:write` become one line: `device` and `read, write`. */
function permissionsByNoun(permissions: readonly string[]): [noun: string, verbs: string][] {
  const byNoun = Map.groupBy(permissions, (permission) => permission.split(':', 1)[0]!)
  return [...byNoun].map(([noun, all]) => [
    noun,
    all.map((one) => one.slice(noun.length + 1)).join(', '),
  ])
}
