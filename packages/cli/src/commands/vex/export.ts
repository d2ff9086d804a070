/** `seaworthy vex export`: the statements that hold for a release, as a document for others. */
import { writeFile } from 'node:fs/promises'
import type { VexStatementView } from '@seaworthy/api/vex'
import { listReleaseVexStatements } from '@seaworthy/api/vex'
import type { VexDocument, VexFormat } from '@seaworthy/response/vex'
import { writeVexDocument } from '@seaworthy/response/vex'
import { utf8Decode } from '@seaworthy/std/bytes'
import { parseAnyJsonText } from '@seaworthy/std/json'
import { printableJson, quoted } from '@seaworthy/std/printable'
import { parseInstant } from '@seaworthy/std/time'
import { withConnection } from '../../connection.ts'
import type { Context } from '../../context.ts'
import { CliError } from '../../failure.ts'
import { formatCount } from '../../output/format.ts'

export interface ExportOptions {
  format: VexFormat
  author: string
  namespace: string
  output?: string
}

export async function exportDocument(
  context: Context,
  product: string,
  version: string,
  { format, author, namespace, output }: ExportOptions,
): Promise<void> {
  if (!/^https:\/\/[!-~]{1,500}$/.test(namespace)) {
    throw new CliError('usage', `${quoted(namespace)} is not an address of a publisher`, {
      wayOut: 'Name one that begins with https://, such as --namespace https://example.org.',
    })
  }
  await withConnection(context, async ({ client }) => {
    const { items } = await client.call(listReleaseVexStatements, { params: { product, version } })
    if (items.length === 0) {
      throw new CliError('notFound', `nothing is stated of ${product} ${version}`, {
        wayOut: 'State something with `seaworthy vex set`.',
      })
    }
    const issuedAt = context.ports.clock.now()
    const id = `${namespace.replace(/\/$/, '')}/vex/${product}-${version}`
    const bytes = writeVexDocument(format, {
      ...{ id, author, namespace, product, version, issuedAt },
      statements: items.map(takeStatement),
    })
    if (output === undefined) {
      const text = utf8Decode(bytes).trimEnd()
      context.show(parseAnyJsonText(text), () => printableJson(text).split('\n'))
      return
    }
    await writeFile(output, bytes)
    context.show({ file: output, format, statements: items.length }, () => [
      `${output} holds ${formatCount(items.length, 'statement')} on ${product} ${version}.`,
    ])
  })
}

function takeStatement(view: VexStatementView): VexDocument['statements'][number] {
  const { vulnerability, purl, status, justification, impact, action, notes } = view
  const { evidence, isInherited, expiresAt, author, reviewer, authoredAt, statedAt } = view
  return {
    ...{ vulnerability, purl, status, justification, impact, action, notes, evidence, isInherited },
    author: author ?? reviewer,
    statedAt: parseInstant(authoredAt ?? statedAt),
    expiresAt: expiresAt === null ? null : parseInstant(expiresAt),
  }
}
