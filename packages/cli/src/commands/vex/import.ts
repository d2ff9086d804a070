/** `seaworthy vex import`: statements out of documents in OpenVEX, CSAF and CycloneDX. */
import type { AuthoredVexStatement } from '@seaworthy/api/vex'
import { authoredVexStatement, importVexStatements, vexImportMax } from '@seaworthy/api/vex'
import type { VexStatement } from '@seaworthy/response/vex'
import { readVexDocument } from '@seaworthy/response/vex'
import { quoted } from '@seaworthy/std/printable'
import { formatInstant } from '@seaworthy/std/time'
import { withConnection } from '../../connection.ts'
import type { Context } from '../../context.ts'
import { CliError } from '../../failure.ts'
import { formatCount, harmless } from '../../output/format.ts'
import { readBounded } from '../../state/files.ts'

const documentBytesMax = 16 * 1024 * 1024
const shownMax = 20

interface LeftOut {
  readonly label: string
  readonly why: string
}

export async function importDocument(
  context: Context,
  file: string,
  { replace = false }: { replace?: boolean },
): Promise<void> {
  const read = readVexDocument(await readBounded(file, documentBytesMax))
  if ('why' in read) {
    throw new CliError('usage', `${quoted(file)} cannot be imported: ${read.why}`, {
      wayOut: 'Name a document in OpenVEX, in CSAF 2.0 or in CycloneDX, as JSON.',
    })
  }
  const setAside: LeftOut[] = [...read.setAside]
  const usable = read.statements.flatMap((one) => {
    const checked = authoredVexStatement.safeParse(bodyOf(one))
    if (checked.success) return [checked.data]
    const [issue] = checked.error.issues
    const why = `its ${issue!.path.join('.')} cannot be used: ${issue!.message}`
    setAside.push({ label: `${one.vulnerability} in ${one.purl}`, why })
    return []
  })
  const total = { taken: 0, unchanged: 0 }
  await withConnection(context, async ({ client }) => {
    for (let i = 0; i < usable.length; i += vexImportMax) {
      const statements = usable.slice(i, i + vexImportMax)
      const body = { statements, replaces: replace }
      const reply = await client.call(importVexStatements, { body })
      total.taken += reply.taken
      total.unchanged += reply.unchanged
      for (const one of reply.setAside) setAside.push(one)
    }
  })
  const { format, ignored } = read
  context.show({ format, ...total, setAside, ignored }, () => [
    `${formatCount(total.taken, 'statement')} taken, ${total.unchanged} as before.`,
    ...describeLeftOut(setAside),
    ...(ignored.length === 0 ? [] : [`Not kept: ${ignored.map(harmless).join(', ')}.`]),
  ])
}

function bodyOf(one: VexStatement): AuthoredVexStatement {
  const { statedAt, expiresAt, evidence, ...rest } = one
  return {
    ...rest,
    evidence: [...evidence],
    authoredAt: formatInstant(statedAt),
    expiresAt: expiresAt === null ? null : formatInstant(expiresAt),
  }
}

/** What was not taken is named: it may be what somebody relies on. */
function describeLeftOut(setAside: readonly LeftOut[]): string[] {
  if (setAside.length === 0) return []
  const left = setAside.length - shownMax
  return [
    `Set aside: ${formatCount(setAside.length, 'statement')}:`,
    ...setAside
      .slice(0, shownMax)
      .map(({ label, why }) => `  ${harmless(label)}: ${harmless(why)}`),
    ...(left > 0 ? [`  … and ${left} more (all of them with --json)`] : []),
  ]
}
