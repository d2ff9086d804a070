/** What programs read to find all advisories: CSAF's metadata, feeds and lists, and Atom. */
import { dayMs, formatInstant } from '@seaworthy/std/time'
import { markup } from '../pages/index.ts'
import type { AdvisoryHead, AdvisorySite } from './site-contents.ts'
import {
  advisoriesFolder,
  atomPath,
  csafFileOf,
  csafPathOf,
  htmlPathOf,
  openPgpPathOf,
  osvIdOf,
  policyPath,
  providerPath,
  roliePath,
  securityTextPath,
  whiteFolder,
} from './paths.ts'

const toText = (value: object) => `${JSON.stringify(value, null, 2)}\n`

/** When anything that the public sees was changed last. */
function updatedAt({ setAt, heads }: AdvisorySite): string {
  const last = heads.reduce(
    (latest, { changedAt }) => (changedAt > latest ? changedAt : latest),
    setAt,
  )
  return formatInstant(last)
}

export function renderProvider(site: AdvisorySite): string {
  const { publisher, heads, openPgpKey } = site
  const { baseUrl, name, namespace, contact } = publisher
  const isTrusted = openPgpKey !== null && heads.every(({ isSigned }) => isSigned)
  const summary = 'All advisories'
  return toText({
    canonical_url: `${baseUrl}${providerPath}`,
    distributions: [
      { rolie: { feeds: [{ summary, tlp_label: 'WHITE', url: `${baseUrl}${roliePath}` }] } },
      { directory_url: `${baseUrl}${whiteFolder}` },
    ],
    last_updated: updatedAt(site),
    list_on_CSAF_aggregators: true,
    metadata_version: '2.0',
    mirror_on_CSAF_aggregators: true,
    ...(openPgpKey === null
      ? {}
      : {
          public_openpgp_keys: [
            {
              fingerprint: openPgpKey.fingerprint,
              url: `${baseUrl}${openPgpPathOf(openPgpKey.fingerprint)}`,
            },
          ],
        }),
    publisher: { category: 'vendor', contact_details: contact, name, namespace },
    role: isTrusted ? 'csaf_trusted_provider' : 'csaf_provider',
  })
}

export function renderRolie(site: AdvisorySite): string {
  const { baseUrl, name } = site.publisher
  return toText({
    feed: {
      id: 'csaf-feed-tlp-white',
      title: `Advisories of ${name}`,
      link: [{ rel: 'self', href: `${baseUrl}${roliePath}` }],
      category: [{ scheme: 'urn:ietf:params:rolie:category:information-type', term: 'csaf' }],
      updated: updatedAt(site),
      entry: site.heads.map((head) => rolieEntry(baseUrl, head)),
    },
  })
}

function rolieEntry(baseUrl: string, head: AdvisoryHead): object {
  const href = `${baseUrl}${csafPathOf(head)}`
  return {
    id: head.name,
    title: head.title,
    link: [
      { rel: 'self', href },
      { rel: 'hash', href: `${href}.sha256` },
      { rel: 'hash', href: `${href}.sha512` },
      ...(head.isSigned ? [{ rel: 'signature', href: `${href}.asc` }] : []),
    ],
    published: formatInstant(head.firstPublishedAt),
    updated: formatInstant(head.changedAt),
    summary: { content: head.summary },
    content: { type: 'application/json', src: href },
    format: {
      schema: 'https://docs.oasis-open.org/csaf/csaf/v2.0/csaf_json_schema.json',
      version: '2.0',
    },
  }
}

export function renderIndexText({ heads }: AdvisorySite): string {
  return heads.map((head) => `${csafFileOf(head)}\n`).join('')
}

/** No text that somebody has written is in it: a path is of letters, digits and signs of paths. */
export function renderChanges({ heads }: AdvisorySite): string {
  return heads.map((head) => `"${csafFileOf(head)}","${formatInstant(head.changedAt)}"\n`).join('')
}

export function renderOsvList({ heads }: AdvisorySite): string {
  return heads
    .map(({ name, changedAt }) => `${formatInstant(changedAt)},${osvIdOf(name)}\n`)
    .join('')
}

export function renderAtom(site: AdvisorySite): string {
  const { baseUrl, name } = site.publisher
  const entries = site.heads.map((head) => {
    const url = `${baseUrl}${htmlPathOf(head.name)}`
    const title = `${head.isWithdrawn ? 'Withdrawn: ' : ''}${head.name}: ${head.title}`
    return markup`<entry><id>${url}</id><title>${title}</title><updated>${formatInstant(head.changedAt)}</updated><published>${formatInstant(head.firstPublishedAt)}</published><link rel="alternate" type="text/html" href="${url}"/><summary>${head.summary}</summary></entry>
`
  })
  const feed = markup`<feed xmlns="http://www.w3.org/2005/Atom"><id>${baseUrl}${atomPath}</id><title>Security advisories of ${name}</title><updated>${updatedAt(site)}</updated><author><name>${name}</name></author><link rel="self" type="application/atom+xml" href="${baseUrl}${atomPath}"/><link rel="alternate" type="text/html" href="${baseUrl}${advisoriesFolder}"/>
${entries}</feed>
`
  return `<?xml version="1.0" encoding="utf-8"?>\n${feed.text}`
}

/** RFC 9116. It ends half a year after the day on which it is asked for. */
export function renderSecurityText({
  publisher,
  now,
  openPgpKey,
  hasReportForm,
}: AdvisorySite): string {
  const { baseUrl, contact } = publisher
  const expiresAt = new Date((Math.floor(now.getTime() / dayMs) + 180) * dayMs)
  const lines = [
    `Contact: ${contact}`,
    ...(hasReportForm ? [`Contact: ${baseUrl}/report`] : []),
    `Expires: ${formatInstant(expiresAt)}`,
    `Canonical: ${baseUrl}${securityTextPath}`,
    `Policy: ${baseUrl}${policyPath}`,
    `Acknowledgments: ${baseUrl}${policyPath}`,
    `CSAF: ${baseUrl}${providerPath}`,
    ...(openPgpKey === null
      ? []
      : [`Encryption: ${baseUrl}${openPgpPathOf(openPgpKey.fingerprint)}`]),
    'Preferred-Languages: en',
  ]
  return `${lines.join('\n')}\n`
}
