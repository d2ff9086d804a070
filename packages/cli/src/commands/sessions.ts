/** `seaworthy session …`: where people are signed in at the moment. */
import type { Command } from 'commander'
import { listSessions, revokeSession } from '@seaworthy/api/sessions'
import type { SessionView } from '@seaworthy/api/sessions'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { formatAgo } from '../output/format.ts'
import type { CliPorts } from '../ports.ts'
import { collectPages, withConnection } from '../connection.ts'

export function addSessionCommands(program: Command, ports: CliPorts): void {
  const session = program.command('session').description('where people are signed in')
  session
    .command('list')
    .description('list the sessions that are open')
    .option('--person <id>', 'only those of this person')
    .action(withContext(ports, list))
  session
    .command('revoke <id>')
    .description('end a session at once')
    .action(withContext(ports, revoke))
}

async function list(context: Context, { person }: { person?: string }): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const sessions = await collectPages((query) =>
      client.call(listSessions, { query: person === undefined ? query : { ...query, person } }),
    )
    const now = context.ports.clock.now()
    context.show(sessions, () =>
      context.table<SessionView>(
        [
          { title: 'id', text: (s) => s.id },
          { title: 'person', text: (s) => s.personName, isShrinkable: true },
          { title: 'address', text: (s) => s.address },
          { title: 'browser', text: (s) => s.userAgent, isShrinkable: true, isDroppable: true },
          { title: 'signed in', text: (s) => formatAgo(s.createdAt, now) },
          { title: 'used', text: (s) => formatAgo(s.lastUsedAt, now) },
        ],
        sessions,
        'Nobody is signed in.',
      ),
    )
  })
}

async function revoke(context: Context, sessionId: string): Promise<void> {
  await context.confirm(`End ${sessionId}?`)
  await withConnection(context, async ({ client }) => {
    await client.call(revokeSession, { params: { sessionId } })
    context.show({ revoked: sessionId }, () => [`Ended ${sessionId}.`])
  })
}
