/** An advisory, the list of them, and the policy, as pages for people. */
import { formatInstant } from '@seaworthy/std/time'
import { ratingOf, scoreCvss3, scoreCvss4 } from '../severity/index.ts'
import type { Markup } from '../pages/index.ts'
import { markup, renderPage } from '../pages/index.ts'
import type { AdvisoryContent, AdvisoryPublisher, PublishedAdvisory } from './advisory.ts'
import { changedAt, describeReleases, firstPublishedAt } from './advisory.ts'
import type { AdvisorySite } from './site-contents.ts'
import {
  advisoriesFolder,
  atomPath,
  csafPathOf,
  htmlPathOf,
  osvPathOf,
  policyPath,
} from './paths.ts'

const section = (title: string, text: string) =>
  text === '' ? [] : [markup`<h2>${title}</h2><p class="text">${text}</p>\n`]

/** Addresses are checked before they are stored (`check.ts`), and written as they are. */
const link = (url: string, text: string) => markup`<a href="${url}" rel="nofollow">${text}</a>`

const listOf = (items: readonly Markup[]) =>
  markup`<ul>${items.map((item) => markup`<li>${item}</li>`)}</ul>\n`

export function renderAdvisory(publisher: AdvisoryPublisher, advisory: PublishedAdvisory): string {
  const { name, content, changes, withdrawnBecause } = advisory
  const first = firstPublishedAt(advisory)
  const body = markup`<h1>${content.title}</h1>
${
  withdrawnBecause === null
    ? []
    : [markup`<p class="warning">This advisory was withdrawn: ${withdrawnBecause}</p>\n`]
}<p>${name}, by ${publisher.name}. Published ${formatInstant(first)}, changed ${formatInstant(changedAt(advisory))}.</p>
${section('Summary', content.summary)}<h2>Releases</h2>
<table><tr><th>affected</th><th>fixed in</th></tr>${content.affected.map(
    (one) =>
      markup`<tr><td>${describeReleases(one)}</td><td>${one.fixed ?? 'no release yet'}</td></tr>`,
  )}</table>
${section('What to do', content.action === '' ? 'Install the fixed release.' : content.action)}${section('Until then', content.workaround)}${section('Description', content.description)}<h2>Severity</h2>
${listOf(severitiesOf(content))}${content.ids.length === 0 ? [] : [markup`<h2>Identifiers</h2>\n${listOf(content.ids.map((id) => markup`${id}`))}`]}${
    content.references.length === 0
      ? []
      : [
          markup`<h2>References</h2>\n${listOf(content.references.map(({ url, title }) => link(url, title)))}`,
        ]
  }${
    content.credits.length === 0
      ? []
      : [markup`<h2>Thanks</h2>\n${listOf(content.credits.map((credit) => markup`${credit}`))}`]
  }<h2>Versions of this advisory</h2>
<table>${changes.map(
    ({ at, what }, i) =>
      markup`<tr><td>${i + 1}</td><td>${formatInstant(at)}</td><td>${what}</td></tr>`,
  )}</table>
<p>The same for programs: ${link(csafPathOf({ name, firstPublishedAt: first }), 'CSAF')}, ${link(osvPathOf(name), 'OSV')}. <a href="${advisoriesFolder}">All advisories</a>.</p>`
  return renderPage({ title: `${name}: ${content.title}`, body })
}

function severitiesOf({ cvss3, cvss4 }: AdvisoryContent): Markup[] {
  const item = (vector: string, score: number) =>
    markup`<b>${score.toFixed(1)}, ${ratingOf(score)}</b>: ${vector}`
  return [
    cvss3 === null ? [] : [item(cvss3, scoreCvss3(cvss3).base)],
    cvss4 === null ? [] : [item(cvss4, scoreCvss4(cvss4))],
  ].flat()
}

export function renderAdvisoryList({ publisher, heads }: AdvisorySite): string {
  const title = `Security advisories of ${publisher.name}`
  const rows = heads.map(
    ({
      name,
      title: what,
      changedAt: at,
      score,
      isWithdrawn,
    }) => markup`<tr><td><a href="${htmlPathOf(name)}">${name}</a></td><td>${isWithdrawn ? 'Withdrawn: ' : ''}${what}</td><td>${score === null || isWithdrawn ? '' : `${score.toFixed(1)}, ${ratingOf(score)}`}</td><td>${formatInstant(at)}</td></tr>
`,
  )
  const body = markup`<h1>${title}</h1>
${rows.length === 0 ? [markup`<p>None has been published.</p>\n`] : [markup`<table><tr><th>advisory</th><th>what</th><th>severity</th><th>changed</th></tr>\n${rows}</table>\n`]}<p><a href="${atomPath}">Atom feed</a>. <a href="${policyPath}">How to report a flaw</a>.</p>`
  return renderPage({ title, body })
}

export function renderPolicy({ publisher, heads, hasReportForm }: AdvisorySite): string {
  const { name, contact, baseUrl, scopeIn, scopeOut, supported } = publisher
  const title = `How ${name} handles reports of flaws`
  const thanked = [...new Set(heads.flatMap(({ credits }) => credits))]
  const form = hasReportForm
    ? [markup` You can also ${link(`${baseUrl}/report`, 'use a form')}, which needs no account.`]
    : []
  const body = markup`<h1>${title}</h1>
<p>Write to ${link(contact, contact.replace(/^mailto:/, ''))}.${form}</p>
${section('What we want to hear of', scopeIn)}${section('What we do not want to hear of', scopeOut)}${
    supported.length === 0
      ? []
      : [
          markup`<h2>Releases that get fixes</h2>
<table><tr><th>product</th><th>versions</th><th>until</th></tr>${supported.map(
            ({ product, versions, until }) =>
              markup`<tr><td>${product}</td><td>${versions}</td><td>${until ?? 'further notice'}</td></tr>`,
          )}</table>\n`,
        ]
  }${
    thanked.length === 0
      ? []
      : [markup`<h2>Thanks</h2>\n${listOf(thanked.map((one) => markup`${one}`))}`]
  }<p><a href="${advisoriesFolder}">All advisories</a>.</p>`
  return renderPage({ title, body })
}

/** A folder as a page that links to all that is in it. */
export function renderFolder(path: string, names: readonly string[]): string {
  const items = names.map((name) => markup`<a href="${name}">${name}</a>`)
  return renderPage({ title: path, body: markup`<h1>${path}</h1>\n${listOf(items)}` })
}
