/** The two forms of answers: OData v4, and what balena's clients read. */
import type { AskedQuestion, Question } from '@seaworthy/api/odata'
import { formatPlace, setsByName } from '@seaworthy/api/odata'
import type { ODataRefusal } from '@seaworthy/api/odata'
import { Refusal } from '@seaworthy/std/refusal'
import type { EntityAnswer, AskedEntities } from '../../app/odata/index.ts'
import { keyOf } from '../../app/odata/index.ts'

export interface AskedPage {
  /** Whether it is about one entity, by its key or by a link that leads to one. */
  readonly isOne: boolean
  readonly asked: AskedQuestion
}

interface AnsweredQuestion {
  /** The address of the service, with a slash at its end. */
  readonly root: string
  readonly options: Readonly<Record<string, string>>
  readonly address: AskedEntities
}

export interface Form {
  readonly type: string
  readonly headers: Readonly<Record<string, string>>
  /** How many entities a page has where the request says nothing; `null` for the usual number. */
  readonly pageDefault: number | null
  /** Whether an entity that is not there is 404; otherwise the answer is empty. */
  readonly isMissingRefused: boolean
  service(root: string): object
  count(count: number): { type: string; text: string }
  page(page: AskedPage, answer: EntityAnswer, question: AnsweredQuestion): object
}

type Found = EntityAnswer['entities'][number]

const jsonType = 'application/json;odata.metadata=minimal'

export const v4Form: Form = {
  type: jsonType,
  headers: { 'odata-version': '4.0' },
  pageDefault: null,
  isMissingRefused: true,
  service: (root) => ({
    '@odata.context': `${root}$metadata`,
    value: [...setsByName.keys()].map((name) => ({ name, kind: 'EntitySet', url: name })),
  }),
  count: (count) => ({ type: 'text/plain', text: String(count) }),
  page({ isOne, asked }, { entities, hasMore, count }, { root, options, address }) {
    const { question } = asked
    const context = `${root}$metadata#${question.set}${formatSelect(question)}`
    if (isOne) {
      const entity = viewEntity(question, entities[0]!, root)
      return { '@odata.context': `${context}/$entity`, ...entity }
    }
    return {
      '@odata.context': context,
      ...(count === null ? {} : { '@odata.count': count }),
      value: entities.map((entity) => viewEntity(question, entity, root)),
      ...nextLink(asked, { entities, hasMore }, `${root}${formatAddress(address)}`, options),
    }
  },
}

function nextLink(
  { top }: Pick<AskedQuestion, 'top'>,
  { entities, hasMore }: Pick<EntityAnswer, 'entities' | 'hasMore'>,
  address: string,
  options: Readonly<Record<string, string>>,
): object {
  const last = entities.at(-1)
  const left = top === null ? null : top - entities.length
  if (!hasMore || last === undefined || left === 0) return {}
  const { $skip: _skip, $top: _top, $skiptoken: _token, ...rest } = options
  const next = {
    ...rest,
    ...(left === null ? {} : { $top: String(left) }),
    $skiptoken: formatPlace(last.place),
  }
  return { '@odata.nextLink': `${address}?${formatOptions(next)}` }
}

/** `%20` and not `+`, which not every client reads as a space. */
function formatOptions(options: Readonly<Record<string, string>>): string {
  return Object.entries(options)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')
}

function formatAddress({ set, key, link }: AskedEntities): string {
  return `${set}${key === null ? '' : formatKey(key)}${link === null ? '' : `/${link}`}`
}

/** The address of one entity. */
export function formatEntity(
  root: string,
  set: string,
  key: NonNullable<AskedEntities['key']>,
): string {
  return `${root}${set}${formatKey(key)}`
}

function formatKey(key: NonNullable<AskedEntities['key']>): string {
  const quoted = (value: string) => `'${encodeURIComponent(value.replaceAll("'", "''"))}'`
  const [only] = key
  if (key.length === 1) return `(${quoted(only!.value)})`
  return `(${key.map(({ property, value }) => `${property}=${quoted(value)}`).join(',')})`
}

/** What the address of the context says of the properties, where only some are answered. */
function formatSelect({ texts, select, expand }: Question): string {
  if (texts['$select'] === undefined) return ''
  return `(${[...select, ...expand.map(({ link }) => `${link}()`)].join(',')})`
}

function viewEntity(question: Question, found: Found, root: string): Record<string, unknown> {
  const entity: Record<string, unknown> = {}
  for (const name of question.select) entity[name] = found.values[name] ?? null
  for (const { link, isMany, isCountOnly, question: below } of question.expand) {
    const count = found.counts[link]
    if (count !== undefined) entity[`${link}@odata.count`] = count
    if (isCountOnly) continue
    const all = found.links[link] ?? []
    const entities = all.slice(0, below.limit)
    const views = entities.map((one) => viewEntity(below, one, root))
    entity[link] = isMany ? views : (views[0] ?? null)
    if (!isMany) continue
    const address = `${root}${question.set}${formatKey(keyOf(question, found))}/${link}`
    const more = { entities, hasMore: all.length > below.limit }
    const next = nextLink({ top: topOf(below) }, more, address, below.texts)
    for (const value of Object.values(next)) entity[`${link}@odata.nextLink`] = value
  }
  return entity
}

/** An expanded link with `$top` has one page, so it needs no link to a next one. */
const topOf = ({ texts, limit }: Question) => (texts['$top'] === undefined ? null : limit)

export const pineForm: Form = {
  type: 'application/json',
  headers: {},
  pageDefault: 1000,
  isMissingRefused: false,
  service: () => ({ d: [...setsByName.keys()] }),
  count: (count) => ({ type: 'application/json', text: JSON.stringify({ d: count }) }),
  page({ asked }, { entities, hasMore }) {
    // These clients follow no links to further pages: an answer that is not whole must not look so.
    if (hasMore && asked.top === null) {
      throw new Refusal<ODataRefusal>(
        'odata_too_large',
        `there are more than ${asked.question.limit}: ask for them by $top and $skip, or in parts by $filter`,
      )
    }
    return { d: entities.map((entity) => viewPine(asked.question, entity)) }
  },
}

function viewPine(question: Question, found: Found): Record<string, unknown> {
  const entity: Record<string, unknown> = {}
  for (const name of question.select) entity[name] = found.values[name] ?? null
  for (const { link, isCountOnly, question: below } of question.expand) {
    const all = found.links[link] ?? []
    if (!isCountOnly && all.length > below.limit && topOf(below) === null) {
      throw new Refusal<ODataRefusal>(
        'odata_too_large',
        `${link} leads to more than ${below.limit}: ask for them by $top in $expand`,
      )
    }
    entity[link] = isCountOnly
      ? found.counts[link]
      : all.slice(0, below.limit).map((one) => viewPine(below, one))
  }
  return entity
}
