/** What an identity provider has the browser bring back, as the address of the page holds it. */
import {
  askIdentity,
  askProviderSignIn,
  askProviderStepUp,
} from '@seaworthy/api/identity-providers'
import type { PagePath } from './page-paths.ts'

/** The page to which providers send people back. */
const returnPath: PagePath = '/sign-in-return'

/** What somebody went to a provider for. */
export const purposes = {
  'provider-sign-in': { ask: askProviderSignIn },
  'provider-step-up': { ask: askProviderStepUp },
  'provider-link': { ask: askIdentity },
} as const
export type ProviderPurpose = keyof typeof purposes

export interface BroughtAnswer {
  readonly purpose: ProviderPurpose
  readonly body: {
    readonly provider: string
    readonly code: string
    readonly state: string
    readonly iss?: string
  }
}

/** Why there is no answer in an address. */
export interface NoAnswer {
  readonly purpose: undefined
  /** The provider’s own word for its refusal (RFC 6749, 4.1.2.1), if it refused. */
  readonly refusal: string | undefined
}

/** Takes the answer out of the address of its page, as the code of a link is taken out. */
export function takeAnswer(
  { pathname, search }: Pick<Location, 'pathname' | 'search'>,
  history: Pick<History, 'replaceState'>,
): BroughtAnswer | NoAnswer | undefined {
  if (pathname !== returnPath && !pathname.startsWith(`${returnPath}/`)) return undefined
  history.replaceState(null, '', pathname)
  return readAnswer(pathname.slice(returnPath.length + 1), search)
}

/**
 * Reads the answer. Nothing in it is believed: the server judges it. The provider is the one that
 * the address is for, so that no answer passes for that of another.
 */
function readAnswer(provider: string, search: string): BroughtAnswer | NoAnswer {
  const given = new URLSearchParams(search)
  const state = given.get('state') ?? ''
  const code = given.get('code') ?? ''
  const iss = given.get('iss')
  const [said = ''] = state.split('.')
  const purpose = (Object.keys(purposes) as ProviderPurpose[]).find((name) => name === said)
  const error = given.get('error')
  if (purpose === undefined || provider === '' || code === '' || error !== null) {
    const refusal = error !== null && /^[a-z_]{1,60}$/.test(error) ? error : undefined
    return { purpose: undefined, refusal }
  }
  return { purpose, body: { provider, code, state, ...(iss === null ? {} : { iss }) } }
}
