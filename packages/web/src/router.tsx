/**
 * Which page answers at which address. Each address stands in `page-paths.ts` too. Pages in the
 * shell are loaded when they are opened, or when a pointer rests on a link to them.
 */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
} from '@tanstack/react-router'
import type { RouteComponent } from '@tanstack/react-router'
import { FirstOwnerPage } from './pages/first-owner.tsx'
import { InvitationPage } from './pages/invitation.tsx'
import { NotFoundPage } from './pages/not-found.tsx'
import { RecoveryPage } from './pages/recovery.tsx'
import { ReturnPage } from './pages/sign-in-return.tsx'
import { SignInPage } from './pages/sign-in.tsx'
import type { PagePath } from './page-paths.ts'
import { Shell } from './ui/shell.tsx'
import { FaultPage } from './ui/fault-page.tsx'
import { LoadingState } from './ui/states.tsx'

const root = createRootRoute({
  component: Outlet,
  notFoundComponent: NotFoundPage,
  errorComponent: FaultPage,
})

/** Pages for people who have signed in stand in the shell. */
const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell })

const inside = <P extends PagePath>(path: P, component: RouteComponent) =>
  createRoute({ getParentRoute: () => shell, path, component })
const outside = <P extends PagePath>(path: P, component: () => React.ReactNode) =>
  createRoute({ getParentRoute: () => root, path, component })

const tree = root.addChildren([
  shell.addChildren([
    inside(
      '/',
      lazyRouteComponent(() => import('./pages/overview.tsx'), 'OverviewPage'),
    ),
    inside(
      '/devices',
      lazyRouteComponent(() => import('./pages/devices.tsx'), 'DevicesPage'),
    ),
    inside(
      '/devices/$deviceId',
      lazyRouteComponent(() => import('./pages/device.tsx'), 'DevicePage'),
    ),
    inside(
      '/fleets',
      lazyRouteComponent(() => import('./pages/fleets.tsx'), 'FleetsPage'),
    ),
    inside(
      '/fleets/$fleet',
      lazyRouteComponent(() => import('./pages/fleet.tsx'), 'FleetPage'),
    ),
    inside(
      '/guide',
      lazyRouteComponent(() => import('./pages/guide.tsx'), 'GuidePage'),
    ),
    inside(
      '/rollouts',
      lazyRouteComponent(() => import('./pages/rollouts.tsx'), 'RolloutsPage'),
    ),
    inside(
      '/rollouts/$rolloutId',
      lazyRouteComponent(() => import('./pages/rollout.tsx'), 'RolloutPage'),
    ),
    inside(
      '/new-rollout',
      lazyRouteComponent(() => import('./pages/new-rollout.tsx'), 'NewRolloutPage'),
    ),
    inside(
      '/releases',
      lazyRouteComponent(() => import('./pages/releases.tsx'), 'ReleasesPage'),
    ),
    inside(
      '/releases/$product/$version',
      lazyRouteComponent(() => import('./pages/release.tsx'), 'ReleasePage'),
    ),
    inside(
      '/proposals',
      lazyRouteComponent(() => import('./pages/proposals.tsx'), 'ProposalsPage'),
    ),
    inside(
      '/proposals/$proposalId',
      lazyRouteComponent(() => import('./pages/proposal.tsx'), 'ProposalPage'),
    ),
    inside(
      '/trust',
      lazyRouteComponent(() => import('./pages/trust.tsx'), 'TrustPage'),
    ),
    inside(
      '/log',
      lazyRouteComponent(() => import('./pages/log.tsx'), 'LogPage'),
    ),
    inside(
      '/people',
      lazyRouteComponent(() => import('./pages/people.tsx'), 'PeoplePage'),
    ),
    inside(
      '/credentials',
      lazyRouteComponent(() => import('./pages/credentials.tsx'), 'CredentialsPage'),
    ),
    inside(
      '/tokens',
      lazyRouteComponent(() => import('./pages/tokens.tsx'), 'TokensPage'),
    ),
    inside(
      '/approvals',
      lazyRouteComponent(() => import('./pages/approvals.tsx'), 'ApprovalsPage'),
    ),
    inside(
      '/pair',
      lazyRouteComponent(() => import('./pages/pair.tsx'), 'PairPage'),
    ),
    inside(
      '/account',
      lazyRouteComponent(() => import('./pages/account.tsx'), 'AccountPage'),
    ),
  ]),
  outside('/sign-in', SignInPage),
  outside('/sign-in-return', ReturnPage),
  outside('/sign-in-return/$provider', ReturnPage),
  outside('/first-owner', FirstOwnerPage),
  outside('/invitation', InvitationPage),
  outside('/recovery', RecoveryPage),
])

export function createPageRouter() {
  return createRouter({
    routeTree: tree,
    defaultPreload: 'intent',
    defaultPendingComponent: () => <LoadingState what="the page" />,
    // What stands in an address is text: a version `1.10` is no number.
    parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
    stringifySearch: (search) => formatSearch(search),
  })
}

function formatSearch(search: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(search).filter(
    (pair): pair is [string, string] => typeof pair[1] === 'string' && pair[1] !== '',
  )
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createPageRouter>
  }
}
