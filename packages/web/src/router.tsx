/** Which page answers at which address. Each address stands in `page-paths.ts` too. */
import { createRootRoute, createRoute, createRouter, Outlet } from '@tanstack/react-router'
import { AccountPage } from './pages/account.tsx'
import { ApprovalsPage } from './pages/approvals.tsx'
import { FirstOwnerPage } from './pages/first-owner.tsx'
import { InvitationPage } from './pages/invitation.tsx'
import { NotFoundPage } from './pages/not-found.tsx'
import { OverviewPage } from './pages/overview.tsx'
import { PairPage } from './pages/pair.tsx'
import { PeoplePage } from './pages/people.tsx'
import { RecoveryPage } from './pages/recovery.tsx'
import { ReturnPage } from './pages/sign-in-return.tsx'
import { SignInPage } from './pages/sign-in.tsx'
import { TokensPage } from './pages/tokens.tsx'
import type { PagePath } from './page-paths.ts'
import { Shell } from './ui/shell.tsx'
import { FaultPage } from './ui/fault-page.tsx'

const root = createRootRoute({
  component: Outlet,
  notFoundComponent: NotFoundPage,
  errorComponent: FaultPage,
})

/** Pages for people who have signed in stand in the shell. */
const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell })

const inside = <P extends PagePath>(path: P, component: () => React.ReactNode) =>
  createRoute({ getParentRoute: () => shell, path, component })
const outside = <P extends PagePath>(path: P, component: () => React.ReactNode) =>
  createRoute({ getParentRoute: () => root, path, component })

const tree = root.addChildren([
  shell.addChildren([
    inside('/', OverviewPage),
    inside('/people', PeoplePage),
    inside('/tokens', TokensPage),
    inside('/approvals', ApprovalsPage),
    inside('/pair', PairPage),
    inside('/account', AccountPage),
  ]),
  outside('/sign-in', SignInPage),
  outside('/sign-in-return', ReturnPage),
  createRoute({
    getParentRoute: () => root,
    path: '/sign-in-return/$provider',
    component: ReturnPage,
  }),
  outside('/first-owner', FirstOwnerPage),
  outside('/invitation', InvitationPage),
  outside('/recovery', RecoveryPage),
])

export function createPageRouter() {
  return createRouter({ routeTree: tree })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createPageRouter>
  }
}
