/** `seaworthy server …`: the certificate by which clients know the server, and the names in it. */
import type { Command } from 'commander'
import type { CertificateView } from '@seaworthy/api/certificates'
import {
  addServerName,
  removeServerName,
  requestCertificate,
  showCertificate,
} from '@seaworthy/api/certificates'
import { parseInstant } from '@seaworthy/std/time'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import type { CliPorts } from '../ports.ts'
import { withConnection } from '../connection.ts'
import { addServerKeyCommands } from './server-keys.ts'

export function addServerCommands(program: Command, ports: CliPorts): void {
  const server = program
    .command('server')
    .description('the server’s own names, certificate and key')
  addServerKeyCommands(server, ports)
  const certificate = server
    .command('certificate')
    .description('the certificate by which clients know the server')
  certificate
    .command('show')
    .description('show names, issuer, dates, and the key that clients pin')
    .action(withContext(ports, show))
  certificate
    .command('request')
    .description(
      'print a request (PKCS #10) for an authority of yours: its certificate goes to `seaworthy up --tls-certificate`, and pins stay right',
    )
    .action(withContext(ports, request))
  const name = server
    .command('name')
    .description('names and addresses of the server in its certificate')
  name
    .command('add <host>')
    .description('make a new certificate with this name too; the key, and so the pin, stays')
    .action(withContext(ports, addName))
  name
    .command('remove <host>')
    .description('make a new certificate without this name')
    .action(withContext(ports, removeName))
}

async function show(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(showCertificate, {})
    context.show(view, () => describe(context, view))
  })
}

const makers = {
  'made-here': 'the server',
  files: 'you (--tls-certificate)',
  acme: 'the authority of --acme-directory',
} as const satisfies Record<CertificateView['source'], string>

function describe(context: Context, view: CertificateView): string[] {
  const now = context.ports.clock.now()
  const isOver = parseInstant(view.notAfter) <= now
  return [
    ...context.fields([
      ['made by', makers[view.source]],
      ['names', view.names.join(', ')],
      ['issuer', view.issuer],
      ['valid from', view.notBefore],
      ['valid until', `${view.notAfter}${isOver ? ' (OVER)' : ''}`],
      ['pin', view.pin],
    ]),
    ...(view.problem === null
      ? []
      : [
          context.paint.yellow(
            view.source === 'files'
              ? `The files are not taken as they are now: ${view.problem}.`
              : `No newer certificate: ${view.problem}.`,
          ),
        ]),
  ]
}

async function request(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const made = await client.call(requestCertificate, {})
    context.show(made, () => made.requestPem.trimEnd().split('\n'))
    context.warn(
      `This asks for a certificate for ${made.names.join(', ')} under the key ${made.pin}.`,
    )
  })
}

/** What clients that know the server by its CA must do. */
const newAuthority =
  'Pins stay right. Whoever trusts the CA certificate of this server fetches /ca.crt anew.'

async function addName(context: Context, name: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(addServerName, { params: { name } })
    context.show(view, () => [`The server is called ${view.names.join(', ')}.`, newAuthority])
  })
}

async function removeName(context: Context, name: string): Promise<void> {
  await context.confirm(
    `Remove ${name}? Command lines, devices and browsers that ask for the server by it will refuse it.`,
  )
  await withConnection(context, async ({ client }) => {
    const view = await client.call(removeServerName, { params: { name } })
    context.show(view, () => [`The server is called ${view.names.join(', ')}.`, newAuthority])
  })
}
