/** `seaworthy vex set` and `withdraw`. */
import type { VexStatementBody } from '@seaworthy/api/vex'
import { setVexStatement, vulnerabilityName, withdrawVexStatement } from '@seaworthy/api/vex'
import { showReleaseExposure } from '@seaworthy/api/vulnerabilities'
import { quoted } from '@seaworthy/std/printable'
import { formatInstant } from '@seaworthy/std/time'
import type { Connection } from '../../connection.ts'
import { withConnection } from '../../connection.ts'
import type { Context } from '../../context.ts'
import { CliError } from '../../failure.ts'
import { describeStatement } from './view.ts'

export interface SetOptions {
  status: VexStatementBody['status']
  component?: string
  justification?: NonNullable<VexStatementBody['justification']>
  impact?: string
  action?: string
  notes?: string
  evidence?: string[]
  /** Milliseconds. */
  expires?: number
  later?: boolean
}

interface About {
  readonly vulnerability: string
  readonly product: string
  readonly version: string
}

export async function set(
  context: Context,
  vulnerability: string,
  product: string,
  version: string,
  options: SetOptions,
): Promise<void> {
  const about = { vulnerability, product, version }
  requireVulnerability(vulnerability)
  const { status, justification = null, impact = '', action = '' } = options
  const { notes = '', evidence = [], expires, later: isInherited = false } = options
  if (isInherited && expires === undefined) {
    throw new CliError('usage', '--later needs --expires: what later releases inherit must end', {
      wayOut: 'Add how long it holds, such as --expires 90d.',
    })
  }
  const now = context.ports.clock.now().getTime()
  const expiresAt = expires === undefined ? null : formatInstant(new Date(now + expires))
  await withConnection(context, async (connection) => {
    const purl = options.component ?? (await findOnly(connection, about))
    const claim = { status, justification, impact, action, notes, evidence, isInherited }
    const body = { ...about, purl, ...claim, expiresAt }
    const view = await connection.client.call(setVexStatement, { body })
    context.show(view, () => describeStatement(context, view))
  })
}

export function requireVulnerability(name: string): void {
  if (vulnerabilityName.safeParse(name).success) return
  throw new CliError('usage', `${quoted(name)} is not the id of a record`, {
    wayOut: 'An id looks like CVE-2021-44228 or GHSA-jfh8-c2jp-5v3q.',
  })
}

/** The component that has the vulnerability, where it is a single one. */
async function findOnly({ client }: Connection, about: About): Promise<string> {
  const { vulnerability, product, version } = about
  const { found } = await client.call(showReleaseExposure, { params: { product, version } })
  const purls = new Set(
    found
      .filter((one) => [one.vulnerability, ...one.aliases].includes(vulnerability))
      .map(({ component }) => component.purl),
  )
  const [purl] = purls
  if (purl !== undefined && purls.size === 1) return purl
  throw new CliError(
    'usage',
    purl === undefined
      ? `nothing of ${product} ${version} is known to have ${vulnerability}`
      : `several components of ${product} ${version} have ${vulnerability}`,
    {
      wayOut:
        purl === undefined
          ? 'Name the component that the statement is about: --component PURL.'
          : `Name one with --component: ${[...purls].map(quoted).join(', ')}.`,
    },
  )
}

export async function withdraw(context: Context, statementId: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(withdrawVexStatement, { params: { statementId } })
    context.show(view, () => [
      `${view.id} holds no more. What records say of ${view.vulnerability} in ${view.product} ${view.version} counts again.`,
    ])
  })
}
