/** One fleet: its policy, which versions run in it, and its rollouts. */
import { Button, Group, Text } from '@mantine/core'
import { showFleet } from '@seaworthy/api/fleets'
import type { FleetView } from '@seaworthy/api/fleets'
import { listRollouts } from '@seaworthy/api/rollouts'
import { useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { ChangeFleetDialog } from '../forms/fleet.tsx'
import { describeFollow } from '../rollout-words.ts'
import { useLive, useMay } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { formatSeconds } from '../times.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Facts } from '../ui/facts.tsx'
import { Instant } from '../ui/instant.tsx'
import { Page, Section } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'
import { TextLink } from '../ui/text-link.tsx'
import { VersionSpread } from '../ui/version-spread.tsx'
import { JoiningSection, RestartsSection } from './fleet-joining.tsx'
import { rolloutColumns } from './rollouts.tsx'
import { SecretSection, VariableSection } from './settings.tsx'

export function FleetPage() {
  const { fleet: name } = useParams({ from: '/shell/fleets/$fleet' })
  const may = useMay()
  const fleet = useLive(showFleet, { params: { fleet: name } })
  return (
    <Page
      title={name}
      {...(fleet.data === undefined ? {} : { action: <Actions fleet={fleet.data} /> })}
    >
      <Loaded query={fleet} what="the fleet">
        {(shown) => (
          <>
            <Section title="Policy">
              <Facts
                facts={[
                  ['Product', `${shown.product}, ${shown.channel}`],
                  [
                    'Devices',
                    <TextLink key="devices" to="/devices" search={{ fleet: name }}>
                      {shown.devicesCount.toLocaleString()}
                    </TextLink>,
                  ],
                  ['Follows', describeFollow(shown)],
                  ['Baseline', shown.baselineVersion ?? 'none: no rollout has finished yet'],
                  ['Restarts', describeRestarts(shown.reboot)],
                  [
                    'Shared identity',
                    shown.sharedIdentity === 'stop' ? 'stops both machines' : 'is told',
                  ],
                  ['Asks every', formatSeconds(shown.pollSeconds)],
                  ['Made', <Instant key="made" at={shown.createdAt} />],
                ]}
              />
              <CliLine line={formatCommand('seaworthy', 'fleet', 'show', name)} />
            </Section>
            <Section title="Versions">
              <VersionSpread fleet={name} />
              <CliLine line={formatCommand('seaworthy', 'fleet', 'versions', name)} />
            </Section>
            {may('rollout:read') && <RolloutSection fleet={name} />}
            {may('reboot-lock:read') && shown.reboot.strategy === 'coordinated' && (
              <RestartsSection fleet={name} />
            )}
            {may('provisioning-key:read') && <JoiningSection fleet={name} />}
            {may('variable:read') && <VariableSection fleet={name} />}
            {may('secret:read') && <SecretSection fleet={name} />}
          </>
        )}
      </Loaded>
    </Page>
  )
}

function describeRestarts(reboot: FleetView['reboot']): string {
  switch (reboot.strategy) {
    case 'immediate':
      return 'as soon as a release is ready'
    case 'off':
      return 'never by themselves'
    case 'window':
      return `in ${reboot.windows.spans.length} windows of the week`
    case 'coordinated':
      return `${reboot.slots} ${reboot.slots === 1 ? 'device' : 'devices'} at a time`
  }
}

function RolloutSection({ fleet }: { readonly fleet: string }) {
  const rollouts = useLive(listRollouts, { query: { fleet, limit: 10 } })
  return (
    <Section title="Rollouts">
      <Loaded query={rollouts} what="rollouts">
        {({ items }) =>
          items.length === 0 ? (
            <Text>None yet.</Text>
          ) : (
            <DataTable
              caption={`Rollouts of ${fleet}`}
              rows={items}
              keyOf={({ id }) => id}
              columns={rolloutColumns}
            />
          )
        }
      </Loaded>
    </Section>
  )
}

function Actions({ fleet }: { readonly fleet: FleetView }) {
  const may = useMay()
  const navigate = useNavigate()
  const [isChanging, setIsChanging] = useState(false)
  return (
    <Group gap="xs">
      {may('rollout:write') && (
        <Button
          onClick={() => void navigate({ to: '/new-rollout', search: { fleet: fleet.name } })}
        >
          Begin a rollout
        </Button>
      )}
      {may('fleet:write') && (
        <Button variant="default" onClick={() => setIsChanging(true)}>
          Change
        </Button>
      )}
      {isChanging && <ChangeFleetDialog fleet={fleet} onClose={() => setIsChanging(false)} />}
    </Group>
  )
}
