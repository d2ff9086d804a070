/** What an advisory must be before anybody reads it. */
import { hexEncode } from '@seaworthy/std/bytes'
import { printable } from '@seaworthy/std/printable'
import { throwRefusal } from '@seaworthy/std/refusal'
import type { RefuseBy } from '@seaworthy/std/refusal'
import { scoreCvss3, scoreCvss4 } from '../severity/index.ts'
import type { SeverityFault } from '../severity/index.ts'
import { versionKey } from '../versions/index.ts'
import type { AdvisoryContent, AdvisoryPublisher, AffectedReleases } from './advisory.ts'

export type AdvisoryFault = 'advisory_unfit' | 'advisory_incomplete' | SeverityFault

const refuse: RefuseBy<AdvisoryFault> = throwRefusal

/** Forms of identifiers by what they begin with; any other has letters and digits. */
const idForms: readonly (readonly [beginning: string, form: RegExp])[] = [
  ['CVE-', /^CVE-[0-9]{4}-[0-9]{4,19}$/],
  ['GHSA-', /^GHSA(?:-[23456789cfghjmpqrvwx]{4}){3}$/],
  ['', /^[A-Z][A-Z0-9]{1,19}-[A-Za-z0-9-]{1,40}$/],
]

/**
 * A draft that may still lack something. Throws `advisory_unfit`, and `vector_malformed` for a
 * vector that has no score.
 */
export function checkAdvisory(content: AdvisoryContent): void {
  checkLine('title', content.title)
  for (const field of ['summary', 'description', 'action', 'workaround'] as const) {
    checkText(field, content[field])
  }
  for (const credit of content.credits) checkLine('a credit', credit)
  checkIds(content.ids)
  for (const { title, url } of content.references) {
    checkLine('the title of a reference', title)
    checkAddress('the address of a reference', url)
  }
  if (content.cvss3 !== null) scoreCvss3(content.cvss3)
  if (content.cvss4 !== null) scoreCvss4(content.cvss4)
  checkReleases(content.affected)
}

/** What is to be published. Throws `advisory_incomplete` too, which names all that is missing. */
export function checkWholeAdvisory(content: AdvisoryContent): void {
  checkAdvisory(content)
  const { title, summary, description, affected, cvss3, cvss4 } = content
  const missing = Object.entries({
    'a title': title.trim() !== '',
    'a summary': summary.trim() !== '',
    'a description': description.trim() !== '',
    'the releases that are affected': affected.length > 0,
    'a vector of CVSS 3.1 or 4.0': cvss3 !== null || cvss4 !== null,
  }).flatMap(([what, isThere]) => (isThere ? [] : [what]))
  if (missing.length === 0) return
  refuse('advisory_incomplete', `the advisory lacks ${missing.join(', ')}`)
}

/** One line without anything that is not seen, or that turns the writing. */
function checkLine(what: string, text: string): void {
  if (printable(text) !== text) {
    refuse(
      'advisory_unfit',
      `${what} holds a character that is not seen, such as ${printable(text).match(/\\u\{[^}]*\}/)?.[0]}: write it without`,
    )
  }
  if (text !== text.trim()) refuse('advisory_unfit', `${what} begins or ends with a space`)
}

/** Several lines, of which each is like a line of `checkLine`, tabulators aside. */
function checkText(what: string, text: string): void {
  for (const line of text.split('\n')) {
    const plain = line.replaceAll('\t', ' ')
    if (printable(plain) !== plain) checkLine(what, plain)
  }
}

/** An address that a page may link to. Throws `advisory_unfit`. */
function checkAddress(what: string, text: string): void {
  const isHttps = URL.canParse(text) && new URL(text).protocol === 'https:'
  if (isHttps && /^[\x21-\x7e]+$/.test(text) && !/["<>\\^`{|}]/.test(text)) return
  refuse(
    'advisory_unfit',
    `${what} must be an address https://… of letters, digits and signs of addresses`,
  )
}

/** Why an advisory is corrected or withdrawn. Throws `advisory_unfit`. */
export function checkReason(text: string): void {
  checkLine('the reason', text)
  if (text === '') refuse('advisory_unfit', 'the reason is empty: readers of the advisory see it')
}

/** Throws `advisory_unfit`. */
export function checkPublisher(publisher: AdvisoryPublisher): void {
  const { name, namespace, baseUrl, contact, scopeIn, scopeOut, supported } = publisher
  checkLine('the name', name)
  checkAddress('the namespace', namespace)
  checkAddress('the address of the pages', baseUrl)
  if (new URL(baseUrl).origin !== baseUrl) {
    refuse(
      'advisory_unfit',
      'the address of the pages is one such as https://security.example.com, with nothing behind the name',
    )
  }
  if (!/^mailto:[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$/.test(contact))
    checkAddress('the contact', contact)
  checkText('what is in scope', scopeIn)
  checkText('what is out of scope', scopeOut)
  for (const { versions } of supported) checkLine('the versions that get fixes', versions)
}

function checkIds(ids: readonly string[]): void {
  for (const id of ids) {
    const [, form] = idForms.find(([beginning]) => id.toUpperCase().startsWith(beginning))!
    if (!form.test(id)) {
      refuse(
        'advisory_unfit',
        `${JSON.stringify(printable(id))} is no identifier such as CVE-2026-12345 or GHSA-xxxx-xxxx-xxxx`,
      )
    }
  }
  if (new Set(ids).size < ids.length) refuse('advisory_unfit', 'an identifier stands in it twice')
  if (ids.filter((id) => id.startsWith('CVE-')).length > 1) {
    refuse(
      'advisory_unfit',
      'it has two CVE identifiers: an advisory is about one flaw, so write two',
    )
  }
}

function checkReleases(affected: readonly AffectedReleases[]): void {
  const seen = new Set<string>()
  for (const one of affected) {
    const { product, introduced, fixed } = one
    const text = JSON.stringify(one)
    if (seen.has(text)) refuse('advisory_unfit', `the releases of ${product} stand in it twice`)
    seen.add(text)
    if (introduced === null || fixed === null) continue
    const [from, to] = [keyOfRelease(introduced), keyOfRelease(fixed)]
    const isEmpty = from === undefined || to === undefined ? introduced === fixed : from >= to
    if (isEmpty) {
      refuse(
        'advisory_unfit',
        `${product} is affected from ${introduced} and fixed in ${fixed}, which does not come after it`,
      )
    }
  }
}

/** A text with the order of versions, where these follow Semantic Versioning. */
function keyOfRelease(version: string): string | undefined {
  const key = versionKey('semver', version)
  return key && hexEncode(key)
}
