/** The files that people write advisories and publishers in. */
import type { z } from 'zod'
import type { AdvisoryContentView } from '@seaworthy/api/advisories'
import { advisoryContent, setPublisher } from '@seaworthy/api/advisories'
import type { BodyOf } from '@seaworthy/api/route'
import { utf8Decode } from '@seaworthy/std/bytes'
import { parseAnyJsonText } from '@seaworthy/std/json'
import type { Context } from '../../context.ts'
import { CliError } from '../../failure.ts'
import { harmless } from '../../output/format.ts'
import { readFileOrInput } from '../../state/files.ts'

const bytesMax = 200_000

export const advisoryTemplate: AdvisoryContentView = {
  title: 'What is wrong, in one line',
  summary: 'One paragraph for whoever decides whether to read on.',
  description: 'What happens, and what somebody could do with it.',
  action: 'Install the fixed release.',
  workaround: '',
  ids: ['CVE-2026-12345'],
  affected: [{ product: 'gateway', introduced: '1.0.0', fixed: '1.4.1' }],
  cvss3: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H',
  cvss4: null,
  credits: [],
  references: [],
}

export function readContent(
  context: Context,
  file: string | undefined,
): Promise<AdvisoryContentView> {
  return readJson(context, file, { schema: advisoryContent, like: 'advisory template' })
}

/** What the server adds when it shows a publisher is not given back to it. */
export function readPublisher(
  context: Context,
  file: string,
): Promise<BodyOf<typeof setPublisher>> {
  return readJson(context, file, {
    schema: setPublisher.body,
    like: 'advisory publisher --json',
    without: ['openPgpFingerprint', 'setAt', 'setBy'],
  })
}

async function readJson<Schema extends z.ZodType>(
  { ports }: Context,
  file: string | undefined,
  expected: {
    readonly schema: Schema
    readonly like: string
    readonly without?: readonly string[]
  },
): Promise<z.output<Schema>> {
  const { schema, like, without = [] } = expected
  const bytes = await readFileOrInput(ports, file, bytesMax)
  const name = file ?? 'standard input'
  let value: unknown
  try {
    value = parseAnyJsonText(utf8Decode(bytes))
  } catch (cause) {
    throw new CliError('usage', `${name} is not JSON`, { cause })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    value = Object.fromEntries(Object.entries(value).filter(([key]) => !without.includes(key)))
  }
  const read = schema.safeParse(value)
  if (read.success) return read.data
  const [first] = read.error.issues
  const where = first === undefined ? '' : `${first.path.join('.')}: ${first.message}`
  throw new CliError(
    'usage',
    `${name} does not have the form of \`seaworthy ${like}\`: ${harmless(where)}`,
  )
}
