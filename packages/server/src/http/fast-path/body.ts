/**
 * The body of an idle check-in as our own agent writes it, recognised by one regular expression:
 * nearly every request is one of these, and the schema costs ten times as much. The schema judges
 * any other body, right or wrong; what is recognised here it would accept too, with the same value
 * (`body.test.ts`).
 */
import type { checkIn, DeviceReport } from '@seaworthy/api/device-self'
import { updateState } from '@seaworthy/api/device-self'
import type { BodyOf } from '@seaworthy/api/route'
import { parseAnyJsonText } from '@seaworthy/std/json'
import { digestForm, digestReport } from '../../app/devices/index.ts'

const whole = '(?:0|[1-9][0-9]{0,14})'
const positive = '[1-9][0-9]{0,14}'
/** Printable ASCII that JSON writes as it is. */
const text = (max: number) => `"[ !#-\\[\\]-~]{0,${max}}"`
const name = '[a-z][a-z0-9-]{0,62}'
const hex = '"[0-9a-f]{64}"'
const date =
  '[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))'
const instant = `"${date}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"`
const listOf = (item: string, max: number) => `(?:${item}(?:,${item}){0,${max - 1}})?`

const running = [
  `\\{"product":"(?!(?:root|targets|snapshot|timestamp)")${name}"`,
  '"version":"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}"',
  `"sha256":${hex}`,
  `"counter":${positive}\\}`,
].join(',')
const states = updateState.options.join('|')
const update = [
  `\\{"state":"(?:${states})"`,
  `(?:,"targetPath":${text(300)})?`,
  `(?:,"sha256":${hex})?`,
  '(?:,"percent":(?:[0-9]|[1-9][0-9]|100))?',
  `(?:,"code":${text(64)})?\\}`,
].join('')
const role = `"[a-z][a-z0-9._-]{0,129}":${positive}`
const refusal = `\\{"code":"[a-z][a-z0-9_]{0,63}","at":${instant}(?:,"subject":${text(256)})?\\}`
const report = [
  `\\{"sequence":${whole}`,
  `"at":${instant}`,
  `"running":(?:null|${running})`,
  `"committedCounter":${whole}`,
  `"floor":${whole}`,
  `"update":${update}`,
  `"metadata":\\{${listOf(role, 1000)}\\}`,
  `"timestampVerifiedAt":(?:null|${instant})`,
  `"refusals":\\[${listOf(refusal, 32)}\\]`,
  `"agentVersion":${text(64)}`,
  '"platform":"[a-z0-9]+/[a-z0-9]+(?:/[a-z0-9]+)?"',
].join(',')
const idle = new RegExp(`^\\{"report":${report}(?:,"bootId":${text(64)})?\\}\\}$`)

export type IdleCheckInBody = BodyOf<typeof checkIn> & {
  /** `digestReport` of its report. */
  readonly digest: string
}

/**
 * What differs from one device to the next; the text around it is the same for all devices of a
 * fleet.
 */
const opening = new RegExp(`^\\{"report":\\{"sequence":(${whole}),"at":${instant},`)
const verifiedAt = new RegExp(`(?:null|${instant}),`, 'y')
const verifiedName = '"timestampVerifiedAt":'
const boot = new RegExp(`,"bootId":${text(64)}\\}\\}$`)

/** A form that many reports share. */
interface Form {
  readonly report: DeviceReport
  readonly digest: string
}

/**
 * How many forms are kept in memory, of at most 2 KiB each; all are forgotten when the limit is
 * reached.
 */
const formsMax = 1000
const formLengthMax = 2048

/**
 * Reads such bodies; the answer is `undefined` for any other. The part that a body shares with
 * earlier ones is recognised by being the same text, and is neither checked nor parsed again.
 */
export function createIdleCheckInReader(): (body: string) => IdleCheckInBody | undefined {
  const forms = new Map<string, Form>()
  return (body) => {
    const parts = takeApart(body)
    if (parts === undefined) return undefined
    const form = forms.get(parts.form)
    if (form !== undefined) {
      const { sequence, at, timestampVerifiedAt, bootId } = parts
      const report = { ...form.report, sequence, at, timestampVerifiedAt }
      if (bootId !== undefined) report.bootId = bootId
      return { report, digest: digestReport(report, form.digest) }
    }
    if (!idle.test(body)) return undefined
    const { report } = parseAnyJsonText(body) as BodyOf<typeof checkIn>
    const digest = digestForm(report)
    if (parts.form.length <= formLengthMax) {
      if (forms.size >= formsMax) forms.clear()
      const { bootId: _, ...common } = report
      forms.set(parts.form, { report: common, digest })
    }
    return { report, digest: digestReport(report, digest) }
  }
}

interface Parts {
  readonly sequence: number
  readonly at: string
  readonly timestampVerifiedAt: string | null
  readonly bootId: string | undefined
  /**
   * The text that is left; each part that was taken out is replaced by a line feed, which no such
   * body contains.
   */
  readonly form: string
}

const instantLength = '2026-01-01T00:00:00Z'.length

/**
 * Answers `undefined` when one of the parts is not as it should be. The rest is not checked here.
 */
function takeApart(body: string): Parts | undefined {
  const begin = opening.exec(body)
  if (begin === null) return undefined
  const from = begin[0].length
  const name = body.indexOf(verifiedName, from)
  if (name < 0) return undefined
  verifiedAt.lastIndex = name + verifiedName.length
  if (!verifiedAt.test(body)) return undefined
  const after = verifiedAt.lastIndex
  const bootStart = body.lastIndexOf(',"bootId":"')
  const hasBoot = bootStart >= after && boot.test(body.slice(bootStart))
  const isNull = body.startsWith('null', name + verifiedName.length)
  return {
    sequence: Number(begin[1]),
    at: body.slice(from - 2 - instantLength, from - 2),
    timestampVerifiedAt: isNull ? null : body.slice(after - 2 - instantLength, after - 2),
    bootId: hasBoot ? body.slice(bootStart + ',"bootId":"'.length, -3) : undefined,
    form: `${body.slice(from, name)}\n${body.slice(after, hasBoot ? bootStart : undefined)}${hasBoot ? '\n' : ''}`,
  }
}
