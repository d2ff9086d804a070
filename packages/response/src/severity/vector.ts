/** Vectors of CVSS as text: `CVSS:3.1/AV:N/…`. What is not exactly one is refused. */
import { throwRefusal } from '@seaworthy/std/refusal'
import type { RefuseBy } from '@seaworthy/std/refusal'

export type SeverityFault = 'vector_malformed'

const refuse: RefuseBy<SeverityFault> = throwRefusal
const vectorLengthMax = 300

/** The metrics of a version in their order; each with its values, separated by spaces. */
export interface VectorMetrics {
  readonly prefix: string
  readonly mandatory: Readonly<Record<string, string>>
  /** What may be left out, which is the same as the value `X`. */
  readonly optional: Readonly<Record<string, string>>
  /** Whether metrics stand in the order of this table, as from version 4.0 on. */
  readonly isOrdered: boolean
}

/** The value of each metric of the table. Throws `vector_malformed`. */
export function parseVector(
  metrics: VectorMetrics,
  text: string,
): Readonly<Record<string, string>> {
  const { prefix, mandatory, optional, isOrdered } = metrics
  if (text.length > vectorLengthMax || !text.startsWith(`${prefix}/`)) {
    refuse(
      'vector_malformed',
      `a vector begins with ${prefix}/ and has at most ${vectorLengthMax} characters`,
    )
  }
  const known = { ...mandatory, ...optional }
  const names = Object.keys(known)
  const values = new Map<string, string>()
  let place = -1
  for (const part of text.slice(prefix.length + 1).split('/')) {
    const [name = '', value = '', more] = part.split(':')
    const isKnown = Object.hasOwn(known, name) && known[name]!.split(' ').includes(value)
    if (!isKnown || more !== undefined) {
      refuse('vector_malformed', `${JSON.stringify(part)} is no metric of ${prefix}`)
    }
    if (values.has(name)) refuse('vector_malformed', `the metric ${name} stands in it twice`)
    const next = names.indexOf(name)
    if (isOrdered && next < place) refuse('vector_malformed', `the metric ${name} stands too late`)
    place = next
    values.set(name, value)
  }
  const missing = Object.keys(mandatory).find((name) => !values.has(name))
  if (missing !== undefined) refuse('vector_malformed', `the metric ${missing} is missing`)
  return Object.fromEntries(names.map((name) => [name, values.get(name) ?? 'X']))
}
