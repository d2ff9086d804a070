/** Who vouches for what devices take: roles with their keys, and how long each still holds. */
import { Alert, Text } from '@mantine/core'
import { showTrustStatus } from '@seaworthy/api/trust'
import type { TrustStatus } from '@seaworthy/api/trust'
import type { Mark, Tone } from '../device-words.ts'
import { useLive, useMay } from '../session.ts'
import { formatSeconds } from '../times.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { DataTable } from '../ui/data-table.tsx'
import type { DataColumn } from '../ui/data-table.tsx'
import { Downloads } from '../ui/downloads.tsx'
import { Instant } from '../ui/instant.tsx'
import { Marks } from '../ui/marks.tsx'
import { Page, Section } from '../ui/page.tsx'
import { EmptyState, Loaded, NoPermissionState } from '../ui/states.tsx'

type TrustRole = TrustStatus['roles'][number]

const tones: Readonly<Record<TrustRole['alarm'], Tone>> = {
  none: 'green',
  notice: 'blue',
  warning: 'yellow',
  critical: 'red',
  expired: 'red',
}

export function markOfLifetime({ alarm, usedPercent }: TrustRole): Mark {
  const used = `${Math.round(usedPercent)} % of its life used`
  return { text: alarm === 'none' ? used : `${alarm}: ${used}`, tone: tones[alarm] }
}

export function TrustPage() {
  const may = useMay()
  return (
    <Page
      title="Trust"
      about="Devices take what these roles have signed, and nothing else. Offline keys are where people hold them, never here."
    >
      {may('trust:read') ? (
        <TrustContent />
      ) : (
        <NoPermissionState sentence="Your role does not show trust." />
      )}
    </Page>
  )
}

function TrustContent() {
  const status = useLive(showTrustStatus, {})
  return (
    <>
      <Loaded query={status} what="the roles">
        {({ initialized, roles, blindTimeSeconds }) =>
          initialized ? (
            <>
              <LateRoles roles={roles} />
              <Section title="Roles">
                <DataTable
                  caption="Roles"
                  rows={roles}
                  keyOf={({ role }) => role}
                  columns={columns}
                />
                <Downloads name="roles" columns={columns} load={() => Promise.resolve(roles)} />
              </Section>
              <Section title="Blind time">
                <Text>
                  {blindTimeSeconds === null
                    ? 'Nothing bounds it yet: there is no timestamp.'
                    : `An attacker with every online key could keep devices from noticing something new for ${formatSeconds(blindTimeSeconds)} at most.`}
                </Text>
              </Section>
            </>
          ) : (
            <EmptyState title="No root yet">
              The people who hold the keys make it on their own machines: “seaworthy trust init”.
            </EmptyState>
          )
        }
      </Loaded>
      <CliLine line="seaworthy trust status" />
    </>
  )
}

function LateRoles({ roles }: { readonly roles: readonly TrustRole[] }) {
  const late = roles.filter(({ alarm, online }) => alarm !== 'none' && !online)
  if (late.length === 0) return null
  return (
    <Alert color="yellow" variant="light" title="Roles that must be signed again soon">
      {new Intl.ListFormat('en').format(late.map(({ role }) => role))}: their holders propose and
      sign a renewal with “seaworthy trust renew”, before devices refuse what has expired.
    </Alert>
  )
}

const columns: readonly DataColumn<TrustRole>[] = [
  { title: 'Role', show: ({ role }) => <strong>{role}</strong>, text: ({ role }) => role },
  {
    title: 'Keys',
    show: ({ online }) => (online ? 'online, of this server' : 'offline'),
    text: ({ online }) => (online ? 'online' : 'offline'),
  },
  {
    title: 'Must sign',
    show: ({ threshold, keyIds }) => `${threshold} of ${keyIds.length}`,
    text: ({ threshold, keyIds }) => `${threshold} of ${keyIds.length}`,
  },
  {
    title: 'Key identifiers',
    show: ({ keyIds }) => <KeyIds keyIds={keyIds} />,
    text: ({ keyIds }) => keyIds.join(' '),
  },
  { title: 'Version', show: ({ version }) => String(version), text: ({ version }) => version },
  {
    title: 'Expires',
    show: ({ expiresAt }) => <Instant at={expiresAt} />,
    text: ({ expiresAt }) => expiresAt,
  },
  {
    title: 'Lifetime',
    show: (role) => <Marks marks={[markOfLifetime(role)]} />,
    text: ({ usedPercent }) => Math.round(usedPercent),
  },
]

/** The beginnings of key identifiers; the whole ones are their titles. */
export function KeyIds({ keyIds }: { readonly keyIds: readonly string[] }) {
  return keyIds.map((keyId, index) => (
    <span key={keyId}>
      {index > 0 && ', '}
      <code title={keyId}>{keyId.slice(0, 8)}</code>
    </span>
  ))
}
