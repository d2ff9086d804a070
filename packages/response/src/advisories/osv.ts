/**
 * An advisory in the OSV format (1.7). Products of our own are in no ecosystem that OSV knows, so
 * that the product stands in `database_specific` and the range says its versions.
 */
import { formatInstant } from '@seaworthy/std/time'
import { versionKey } from '../versions/index.ts'
import type { AdvisoryContent, AdvisoryPublisher, PublishedAdvisory } from './advisory.ts'
import { changedAt, firstPublishedAt } from './advisory.ts'
import { csafPathOf, htmlPathOf, osvIdOf } from './paths.ts'

export function osvOf(publisher: AdvisoryPublisher, advisory: PublishedAdvisory): string {
  const { name, content, withdrawnBecause } = advisory
  const { baseUrl } = publisher
  const published = firstPublishedAt(advisory)
  const modified = formatInstant(changedAt(advisory))
  const references = [
    { type: 'ADVISORY', url: `${baseUrl}${htmlPathOf(name)}` },
    { type: 'ADVISORY', url: `${baseUrl}${csafPathOf({ name, firstPublishedAt: published })}` },
    ...content.references.map(({ url }) => ({ type: 'WEB', url })),
  ]
  const record = {
    schema_version: '1.7.0',
    id: osvIdOf(name),
    modified,
    published: formatInstant(published),
    ...(withdrawnBecause === null ? {} : { withdrawn: modified }),
    ...(content.ids.length === 0 ? {} : { aliases: content.ids }),
    summary: content.title,
    details: withdrawnBecause ?? [content.summary, content.description].join('\n\n'),
    ...severityOf(content),
    affected: content.affected.map(affectedOf),
    references,
    ...(content.credits.length === 0
      ? {}
      : { credits: content.credits.map((credit) => ({ name: credit, type: 'FINDER' })) }),
    database_specific: { publisher: publisher.name, namespace: publisher.namespace },
  }
  return `${JSON.stringify(record, null, 2)}\n`
}

function severityOf({ cvss3, cvss4 }: AdvisoryContent): object {
  const severity = [
    cvss3 === null ? [] : [{ type: 'CVSS_V3', score: cvss3 }],
    cvss4 === null ? [] : [{ type: 'CVSS_V4', score: cvss4 }],
  ].flat()
  return severity.length === 0 ? {} : { severity }
}

function affectedOf({ product, introduced, fixed }: AdvisoryContent['affected'][number]): object {
  const events = [{ introduced: introduced ?? '0' }, ...(fixed === null ? [] : [{ fixed }])]
  const isSemver = [introduced, fixed].every(
    (version) => version === null || versionKey('semver', version) !== undefined,
  )
  // Only the publisher can order versions that do not follow Semantic Versioning.
  return {
    ranges: [{ type: isSemver ? 'SEMVER' : 'ECOSYSTEM', events }],
    database_specific: { product },
  }
}
