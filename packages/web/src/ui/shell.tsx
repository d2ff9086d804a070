/**
 * The frame of every page of people who have signed in: top bar, navigation, and the page. Somebody
 * who has not signed in is sent to the sign-in page, and comes back from there.
 */
import { Badge, Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { Link, Outlet, useLocation } from '@tanstack/react-router'
import { listApprovals } from '@seaworthy/api/approvals'
import { signOut } from '@seaworthy/api/sessions'
import { useId, useState } from 'react'
import type { PagePath } from '../page-paths.ts'
import { usePorts } from '../ports.ts'
import { useFollowChanges, useMay, useRead, useSession, useSetSession } from '../session.ts'
import { ColorSchemeButton } from './color-scheme.tsx'
import { ErrorAlert } from './explained.tsx'
import { Icon } from './icons.tsx'
import type { IconName } from './icons.tsx'
import { Redirect } from './redirect.tsx'
import { ErrorState, LoadingState } from './states.tsx'
import classes from './shell.module.css'

interface Place {
  readonly to: PagePath
  readonly label: string
  readonly icon: IconName
  /** The permission without which the page shows nothing. */
  readonly needs?: string
}

const groups: readonly { readonly title: string; readonly places: readonly Place[] }[] = [
  {
    title: 'Fleet',
    places: [
      { to: '/', label: 'Overview', icon: 'overview' },
      { to: '/fleets', label: 'Fleets', icon: 'fleets', needs: 'fleet:read' },
      { to: '/devices', label: 'Devices', icon: 'devices', needs: 'device:read' },
      { to: '/rollouts', label: 'Rollouts', icon: 'rollouts', needs: 'rollout:read' },
      { to: '/releases', label: 'Releases', icon: 'releases', needs: 'release:read' },
      { to: '/proposals', label: 'Proposals', icon: 'proposals', needs: 'proposal:read' },
      { to: '/guide', label: 'First steps', icon: 'guide' },
    ],
  },
  {
    title: 'Trust',
    places: [
      { to: '/trust', label: 'Roles and keys', icon: 'trust', needs: 'trust:read' },
      { to: '/log', label: 'Audit log', icon: 'log', needs: 'log:read' },
    ],
  },
  {
    title: 'People',
    places: [
      { to: '/people', label: 'People', icon: 'people' },
      { to: '/tokens', label: 'Tokens', icon: 'tokens' },
      {
        to: '/credentials',
        label: 'Stored credentials',
        icon: 'credentials',
        needs: 'credential:read',
      },
      { to: '/approvals', label: 'Approvals', icon: 'approvals' },
      { to: '/account', label: 'Your account', icon: 'account' },
    ],
  },
]

export function Shell() {
  const session = useSession()
  const { href } = useLocation()
  if (session.data === undefined) {
    return (
      <main className={classes['alone']}>
        {session.error === null ? (
          <LoadingState what="your session" />
        ) : (
          <ErrorState error={session.error} onRetry={() => void session.refetch()} />
        )}
      </main>
    )
  }
  if (session.data === null) {
    const next = href === '/' ? '' : `?${new URLSearchParams({ next: href }).toString()}`
    return <Redirect to={`/sign-in${next}`} />
  }
  return <Frame name={session.data.person.name} />
}

function Frame({ name }: { readonly name: string }) {
  const [isOpen, setIsOpen] = useState(false)
  useFollowChanges()
  return (
    <div className={classes['frame']}>
      <a href="#content" className={classes['skip']}>
        Skip to content
      </a>
      <header className={classes['top']}>
        <button
          type="button"
          className={classes['menu']}
          aria-expanded={isOpen}
          aria-controls="navigation"
          aria-label="Navigation"
          onClick={() => setIsOpen(!isOpen)}
        >
          <Icon name={isOpen ? 'close' : 'menu'} />
        </button>
        <Link to="/" className={classes['brand']}>
          <Icon name="brand" />
          Seaworthy
        </Link>
        <span className={classes['who']} title={`Signed in as ${name}`}>
          {name}
        </span>
        <ColorSchemeButton />
        <SignOutButton />
      </header>
      <nav
        id="navigation"
        aria-label="Pages"
        className={classes['navigation']}
        data-open={isOpen || undefined}
      >
        <div className={classes['groups']}>
          {groups.map(({ title, places }) => (
            <Group key={title} title={title} places={places} onOpen={() => setIsOpen(false)} />
          ))}
        </div>
      </nav>
      <main id="content" tabIndex={-1} className={classes['content']}>
        <Outlet />
      </main>
    </div>
  )
}

function Group(props: {
  readonly title: string
  readonly places: readonly Place[]
  readonly onOpen: () => void
}) {
  const { title, places, onOpen } = props
  const id = useId()
  const may = useMay()
  const open = places.filter(({ needs }) => needs === undefined || may(needs))
  if (open.length === 0) return null
  return (
    <div>
      <h2 id={id} className={classes['group']}>
        {title}
      </h2>
      <ul aria-labelledby={id}>
        {open.map(({ to, label, icon }) => (
          <li key={to}>
            <Link
              to={to}
              className={classes['place']}
              activeOptions={{ exact: to === '/' }}
              activeProps={{ 'aria-current': 'page' }}
              onClick={onOpen}
            >
              <Icon name={icon} />
              {label}
              {to === '/approvals' && <WaitingCount />}
            </Link>
          </li>
        ))}
      </ul>
    </div>
  )
}

/** How many requests wait for whoever is signed in. */
function WaitingCount() {
  const mayRead = useMay()('approval:read')
  return mayRead ? <ReadWaitingCount /> : null
}

function ReadWaitingCount() {
  const waiting = useRead(listApprovals, { query: { state: 'open', limit: 100 } })
  const items = waiting.data?.items ?? []
  const count = items.filter(({ mayDecide, state }) => mayDecide && state === 'pending').length
  if (count === 0) return null
  return (
    <Badge size="sm" color="red" aria-label={`${count} waiting`}>
      {count}
    </Badge>
  )
}

function SignOutButton() {
  const { client } = usePorts()
  const setSession = useSetSession()
  const leave = useMutation({
    mutationFn: () => client.call(signOut, {}),
    onSuccess: () => setSession(null),
  })
  return (
    <>
      <Button
        variant="subtle"
        size="compact-sm"
        onClick={() => leave.mutate()}
        loading={leave.isPending}
      >
        Sign out
      </Button>
      {leave.error !== null && (
        <div className={classes['failure']}>
          <ErrorAlert error={leave.error} />
        </div>
      )}
    </>
  )
}
