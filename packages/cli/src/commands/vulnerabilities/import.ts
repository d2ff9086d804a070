/** `seaworthy vulnerability import`: gives the server records, a bounded part at a time. */
import type { ReplyOf } from '@seaworthy/api/route'
import { importMax, importVulnerabilities } from '@seaworthy/api/vulnerabilities'
import { utf8Decode } from '@seaworthy/std/bytes'
import type { Context } from '../../context.ts'
import { formatCount } from '../../output/format.ts'
import type { Connection } from '../../connection.ts'
import { withConnection } from '../../connection.ts'
import { readBounded } from '../../state/files.ts'
import { describeSetAside } from './check.ts'
import type { SetAside } from './record-files.ts'
import { listRecords, recordBytesMax } from './record-files.ts'

type Imported = ReplyOf<typeof importVulnerabilities>

const partsInFlight = 2

const nothing = {
  ...{ added: 0, changed: 0, unchanged: 0, older: 0, withdrawn: 0, findings: 0 },
  statementsReopened: 0,
}

export async function importFiles(context: Context, paths: readonly string[]): Promise<void> {
  const files = await listRecords(paths)
  const total = { ...nothing }
  const setAside: SetAside[] = []
  const progress = context.progress('import')
  await withConnection(context, async (connection) => {
    let doneBytes = 0
    const parts = readParts(context, files, setAside)
    const take = async (part: readonly RecordFile[]) => {
      const reply = await send(
        connection,
        part.map(({ text }) => text),
      )
      for (const name of Object.keys(nothing) as (keyof typeof nothing)[]) {
        total[name] += reply[name]
      }
      for (const { index, label, why } of reply.setAside) {
        setAside.push({ file: part[index]?.file ?? label, why })
      }
      for (const { name, why } of reply.partlyUsed) setAside.push({ file: name, why })
      progress.update((doneBytes += part.reduce((sum, { text }) => sum + text.length, 0)))
    }
    // The server reads a part while it stores the one before it.
    const sendAll = async () => {
      for (let next = await parts.next(); next.done !== true; next = await parts.next()) {
        try {
          await take(next.value)
        } catch (error) {
          await parts.return(undefined)
          throw error
        }
      }
    }
    await Promise.all(Array.from({ length: partsInFlight }, sendAll))
  })
  progress.finish()
  context.show({ ...total, setAside }, () => [
    `${formatCount(total.added, 'record')} added, ${total.changed} changed, ${total.unchanged} as before, ${total.older} older than what is there.`,
    ...(total.withdrawn === 0
      ? []
      : [`Withdrawn by their source: ${formatCount(total.withdrawn, 'record')}.`]),
    `They affect ${formatCount(total.findings, 'component')} of releases, or may: \`seaworthy vulnerability exposure\`.`,
    ...(total.statementsReopened === 0
      ? []
      : [
          `They say something else than before of ${formatCount(total.statementsReopened, 'statement')}, which hold no more: \`seaworthy vex list --state reopened\`.`,
        ]),
    ...describeSetAside(setAside),
  ])
}

function send({ client }: Pick<Connection, 'client'>, records: string[]): Promise<Imported> {
  return client.call(importVulnerabilities, { body: { records } })
}

function readText(bytes: Uint8Array): string | undefined {
  try {
    return utf8Decode(bytes)
  } catch {
    return undefined
  }
}

interface RecordFile {
  readonly file: string
  readonly text: string
}

/** What fits into one request. A record that fits into none is set aside. */
async function* readParts(
  { ports }: Context,
  files: readonly string[],
  setAside: SetAside[],
): AsyncGenerator<RecordFile[], undefined> {
  let part: RecordFile[] = []
  let bytes = 0
  for (const file of files) {
    ports.signal.throwIfAborted()
    const read = await readBounded(file, recordBytesMax)
    if (read.length > importMax.bytes || read.length === 0) {
      setAside.push({ file, why: read.length === 0 ? 'empty' : 'larger than 4 MiB' })
      continue
    }
    const text = readText(read)
    if (text === undefined) {
      setAside.push({ file, why: 'not UTF-8' })
      continue
    }
    if (part.length === importMax.records || bytes + read.length > importMax.bytes) {
      yield part
      ;[part, bytes] = [[], 0]
    }
    part.push({ file, text })
    bytes += read.length
  }
  if (part.length > 0) yield part
  return undefined
}
