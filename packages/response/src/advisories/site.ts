/**
 * Everything that the public finds, by its path. Files about all advisories are made of their
 * heads; those of one advisory are made when somebody asks for them.
 */
import type { AdvisoryHead, AdvisorySite, SiteFile } from './site-contents.ts'
import {
  renderAtom,
  renderChanges,
  renderIndexText,
  renderOsvList,
  renderProvider,
  renderRolie,
  renderSecurityText,
} from './feeds.ts'
import { renderAdvisoryList, renderFolder, renderPolicy } from './page.ts'
import {
  advisoriesFolder,
  atomPath,
  csafFileOf,
  csafPathOf,
  htmlPathOf,
  openPgpPathOf,
  osvFolder,
  osvPathOf,
  policyPath,
  providerPath,
  roliePath,
  securityTextPath,
  whiteFolder,
} from './paths.ts'

const json = 'application/json'
const html = 'text/html; charset=utf-8'
const plain = 'text/plain; charset=utf-8'
const csv = 'text/csv; charset=utf-8'

/** How a file shows one advisory. */
export type AdvisoryForm = 'csaf' | 'sha256' | 'sha512' | 'signature' | 'html' | 'osv'

export const formMediaTypes: Readonly<Record<AdvisoryForm, string>> = {
  ...{ csaf: json, sha256: plain, sha512: plain, signature: 'application/pgp-signature' },
  ...{ html, osv: json },
}

type Render = (site: AdvisorySite) => string

const shared: Readonly<Record<string, readonly [mediaType: string, render: Render]>> = {
  [securityTextPath]: [plain, renderSecurityText],
  [providerPath]: [json, renderProvider],
  [roliePath]: [json, renderRolie],
  [`${whiteFolder}index.txt`]: [plain, renderIndexText],
  [`${whiteFolder}changes.csv`]: [csv, renderChanges],
  [whiteFolder]: [html, renderWhiteFolder],
  [advisoriesFolder]: [html, renderAdvisoryList],
  [atomPath]: ['application/atom+xml', renderAtom],
  [policyPath]: [html, renderPolicy],
  [`${osvFolder}modified_id.csv`]: [csv, renderOsvList],
}

const yearsOf = ({ heads }: AdvisorySite) => [
  ...new Set(heads.map(({ firstPublishedAt }) => `${firstPublishedAt.getUTCFullYear()}/`)),
]

function renderWhiteFolder(site: AdvisorySite): string {
  const names = ['index.txt', 'changes.csv', 'csaf-feed-tlp-white.json']
  return renderFolder(whiteFolder, [...names, ...yearsOf(site)])
}

/** A file about all advisories; `undefined` where the path is that of no such file. */
export function sharedFileOf(site: AdvisorySite, path: string): SiteFile | undefined {
  const known = Object.hasOwn(shared, path) ? shared[path] : undefined
  if (known !== undefined) return { mediaType: known[0], text: known[1](site) }
  const { openPgpKey } = site
  if (openPgpKey !== null && path === openPgpPathOf(openPgpKey.fingerprint)) {
    return { mediaType: 'application/pgp-keys', text: openPgpKey.text }
  }
  const year = yearsOf(site).find((one) => path === `${whiteFolder}${one}`)
  if (year === undefined) return undefined
  const names = site.heads
    .filter((head) => csafFileOf(head).startsWith(year))
    .flatMap((head) => formsOf(head).map((form) => pathOf(head, form)))
    .filter((one) => one.startsWith(path))
  return {
    mediaType: html,
    text: renderFolder(
      path,
      names.map((one) => one.slice(path.length)),
    ),
  }
}

const formsOf = ({ isSigned }: AdvisoryHead): AdvisoryForm[] => [
  ...(['csaf', 'sha256', 'sha512', 'html', 'osv'] as const),
  ...(isSigned ? (['signature'] as const) : []),
]

function pathOf(head: AdvisoryHead, form: AdvisoryForm): string {
  if (form === 'html') return htmlPathOf(head.name)
  if (form === 'osv') return osvPathOf(head.name)
  const path = csafPathOf(head)
  return form === 'csaf' ? path : `${path}.${form === 'signature' ? 'asc' : form}`
}

/** Which advisory, in which form, the path is that of. */
export function findAdvisoryFile(
  { heads }: AdvisorySite,
  path: string,
): { readonly name: string; readonly form: AdvisoryForm } | undefined {
  for (const head of heads) {
    const form = formsOf(head).find((one) => pathOf(head, one) === path)
    if (form !== undefined) return { name: head.name, form }
  }
  return undefined
}

/** The path of each file. One that ends in `/` is that of a folder, whose page it is. */
export function listSitePaths(site: AdvisorySite): string[] {
  const { openPgpKey, heads } = site
  return [
    ...Object.keys(shared),
    ...yearsOf(site).map((year) => `${whiteFolder}${year}`),
    ...(openPgpKey === null ? [] : [openPgpPathOf(openPgpKey.fingerprint)]),
    ...heads.flatMap((head) => formsOf(head).map((form) => pathOf(head, form))),
  ]
}
