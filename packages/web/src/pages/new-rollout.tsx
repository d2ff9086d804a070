/** Begins a rollout; while it is put together, the page says what it means and whether it could. */
import {
  Alert,
  Button,
  Checkbox,
  Group,
  NativeSelect,
  Paper,
  Stack,
  Text,
  TextInput,
} from '@mantine/core'
import { listFleets } from '@seaworthy/api/fleets'
import type { FleetView } from '@seaworthy/api/fleets'
import { listReleases } from '@seaworthy/api/releases'
import type { BodyInputOf } from '@seaworthy/api/route'
import { checkRollout, createRollout, listRollouts } from '@seaworthy/api/rollouts'
import { describePolicy } from '@seaworthy/fleet/rollouts'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { usePorts } from '../ports.ts'
import { draftDefaults, draftOptions, readDraft } from '../rollout-draft.ts'
import type { RolloutDraft } from '../rollout-draft.ts'
import { useMay, useRead, useRefresh } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { useAddress } from '../ui/address.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { ErrorAlert } from '../ui/explained.tsx'
import { Page, Section } from '../ui/page.tsx'
import { EmptyState, Loaded, NoPermissionState } from '../ui/states.tsx'
import { useConfirmedCall } from '../ui/step-up.tsx'
import { PolicyWords } from './rollout.tsx'

export function NewRolloutPage() {
  const may = useMay()
  const fleets = useRead(listFleets, { query: { limit: 1000 } })
  return (
    <Page title="Begin a rollout" about="Nothing begins before you say so below.">
      {may('rollout:write') ? (
        <Loaded query={fleets} what="fleets">
          {({ items }) =>
            items.length === 0 ? (
              <EmptyState title="No fleet yet">A rollout needs a fleet to move.</EmptyState>
            ) : (
              <ChooseFleet fleets={items} />
            )
          }
        </Loaded>
      ) : (
        <NoPermissionState sentence="Your role does not begin rollouts." />
      )}
    </Page>
  )
}

function ChooseFleet({ fleets }: { readonly fleets: readonly FleetView[] }) {
  const address = useAddress()
  const fleet = fleets.find(({ name }) => name === address.get('fleet')) ?? fleets[0]!
  return (
    <Stack>
      <NativeSelect
        label="Fleet"
        name="fleet"
        maw={420}
        value={fleet.name}
        data={fleets.map(({ name }) => name)}
        onChange={(event) => address.change({ fleet: event.currentTarget.value })}
      />
      {fleet.follow === 'newest' ? (
        <Alert color="yellow" variant="light" title="This fleet takes the newest release at once">
          Only a fleet that follows rollouts is moved wave by wave. Change that on its page, or with
          “{formatCommand('seaworthy', 'fleet', 'set', fleet.name, '--follow', 'rollouts')}”.
        </Alert>
      ) : (
        <Draft key={fleet.name} fleet={fleet} />
      )}
    </Stack>
  )
}

function Draft({ fleet }: { readonly fleet: FleetView }) {
  const releases = useRead(listReleases, {
    params: { product: fleet.product },
    query: { limit: 200 },
  })
  return (
    <Loaded query={releases} what="releases">
      {({ items }) => {
        const versions = items
          .filter(({ channels }) => channels.some(({ channel }) => channel === fleet.channel))
          .map(({ version }) => version)
        return versions.length === 0 ? (
          <EmptyState title="No release">
            Nothing is published for {fleet.product}, {fleet.channel}.
          </EmptyState>
        ) : (
          <DraftForm fleet={fleet} versions={versions} />
        )
      }}
    </Loaded>
  )
}

function DraftForm(props: { readonly fleet: FleetView; readonly versions: readonly string[] }) {
  const { fleet, versions } = props
  const call = useConfirmedCall()
  const refresh = useRefresh()
  const navigate = useNavigate()
  const [version, setVersion] = useState(versions[0]!)
  const [draft, setDraft] = useState(draftDefaults)
  const change = (part: Partial<RolloutDraft>) => setDraft({ ...draft, ...part })
  const { policy, mistakes } = readDraft(draft)
  const begin = useMutation({
    async mutationFn() {
      if (policy === undefined) return
      const { id } = await call(createRollout, { body: { fleet: fleet.name, version, policy } })
      await refresh(listRollouts)
      await navigate({ to: '/rollouts/$rolloutId', params: { rolloutId: id } })
    },
  })
  const field = (
    name: 'waves' | 'approvals' | 'bake' | 'failuresPercent',
    label: string,
    about: string,
  ) => (
    <TextInput
      label={label}
      description={about}
      name={name}
      autoComplete="off"
      maxLength={500}
      value={draft[name]}
      error={mistakes[name] ?? null}
      onChange={(event) => change({ [name]: event.currentTarget.value })}
    />
  )
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        begin.mutate()
      }}
    >
      <Stack>
        <Paper withBorder p="md">
          <Stack maw={560}>
            <NativeSelect
              label="Release"
              name="version"
              value={version}
              data={[...versions]}
              onChange={(event) => setVersion(event.currentTarget.value)}
            />
            {field(
              'waves',
              'Waves',
              'Shares of the fleet so far; also count:50 and tag:canary=yes.',
            )}
            {field(
              'approvals',
              'Waves that wait for a person',
              'Their numbers, such as 2,3; empty for none.',
            )}
            {field('bake', 'How long a wave must have stayed well', 'Such as 30m or 12h.')}
            {field(
              'failuresPercent',
              'Failures that are allowed, in percent',
              'Of the updates of a wave that have ended.',
            )}
            <Checkbox
              label="One device at a time until the first is healthy; one failure stops"
              checked={draft.isSafe}
              onChange={(event) => change({ isSafe: event.currentTarget.checked })}
            />
            <Checkbox
              label="Failures end the rollout for good, instead of pausing it"
              checked={draft.isAbortedByFailures}
              onChange={(event) => change({ isAbortedByFailures: event.currentTarget.checked })}
            />
          </Stack>
        </Paper>
        {policy !== undefined && (
          <Section title="What it will do">
            <Text>
              It moves {fleet.name}, {fleet.devicesCount.toLocaleString()}{' '}
              {fleet.devicesCount === 1 ? 'device' : 'devices'}, to {fleet.product} {version}.
            </Text>
            <PolicyWords lines={describePolicy(policy, fleet)} />
            <Verdict body={{ fleet: fleet.name, version, policy }} />
          </Section>
        )}
        <ErrorAlert error={begin.error} />
        <Group>
          <Button type="submit" disabled={policy === undefined} loading={begin.isPending}>
            Begin the rollout
          </Button>
        </Group>
        <CliLine
          line={formatCommand(
            ...['seaworthy', 'rollout', 'create', '--fleet', fleet.name],
            ...['--release', `${fleet.product}@${version}`, ...draftOptions(draft)],
          )}
        />
      </Stack>
    </form>
  )
}

/** Asks the server whether such a rollout could begin now; nothing begins by that. */
function Verdict({ body }: { readonly body: BodyInputOf<typeof checkRollout> }) {
  const { client } = usePorts()
  const checked = useQuery({
    queryKey: [checkRollout.name, body],
    queryFn: ({ signal }) => client.call(checkRollout, { body, signal }),
    placeholderData: (before) => before,
  })
  if (checked.error !== null) return <ErrorAlert error={checked.error} />
  if (checked.data === undefined) return null
  const tagged = checked.data.waves.flatMap(({ taggedCount }, index) =>
    taggedCount === null ? [] : [`Wave ${index + 1}: ${taggedCount} devices have its tag.`],
  )
  return (
    <Text role="status">
      {[...tagged, 'Nothing prevents it now. Nothing was begun.'].join(' ')}
    </Text>
  )
}
