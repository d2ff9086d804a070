/**
 * The body of an idle check-in as our own agent writes it, recognised by one regular expression: nearly every request is
 * one of these, and the schema costs ten times as much. Anything else, right or wrong, is for the schema to judge;
 * what is recognised here it would accept, with the same value (`check-in-body.test.ts`).
 */
import type { checkIn } from '@seaworthy/api/device'
import type { BodyOf } from '@seaworthy/api/route'

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
const states = 'idle|downloading|installing|restarting|watching|committed|rolled_back|failed'
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

/** The value of such a body, otherwise `undefined`. */
export function readIdleCheckIn(body: string): BodyOf<typeof checkIn> | undefined {
  return idle.test(body) ? (JSON.parse(body) as BodyOf<typeof checkIn>) : undefined
}
