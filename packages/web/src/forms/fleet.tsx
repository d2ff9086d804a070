/** Makes a fleet, or changes the policy of one, with what that means for its devices. */
import { NativeSelect, Switch, Text, TextInput } from '@mantine/core'
import { createFleet, listFleets, setFleet, showFleet } from '@seaworthy/api/fleets'
import type { FleetView } from '@seaworthy/api/fleets'
import { nameField, versionField } from '@seaworthy/api/fields'
import { listProducts } from '@seaworthy/api/products'
import { useState } from 'react'
import { useRead } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { CliLine } from '../ui/cli-line.tsx'

type Follow = FleetView['follow']

const followChoices: readonly { readonly value: Follow; readonly label: string }[] = [
  { value: 'rollouts', label: 'rollouts: wave by wave' },
  { value: 'newest', label: 'the newest release of the channel' },
]

function FollowField(props: {
  readonly value: Follow
  readonly onChange: (value: Follow) => void
}) {
  return (
    <NativeSelect
      label="Devices follow"
      name="follow"
      value={props.value}
      data={[...followChoices]}
      onChange={(event) =>
        props.onChange(event.currentTarget.value === 'newest' ? 'newest' : 'rollouts')
      }
    />
  )
}

export function FleetDialog({ onClose }: { readonly onClose: () => void }) {
  const products = useRead(listProducts, { query: { limit: 1000 } })
  const lines = (products.data?.items ?? []).flatMap(({ name, channels }) =>
    channels.map((channel) => ({ product: name, channel: channel.name })),
  )
  const [name, setName] = useState('')
  const [line, setLine] = useState(0)
  const [follow, setFollow] = useState<Follow>('rollouts')
  const chosen = lines[line]
  const isName = nameField.safeParse(name).success
  return (
    <ActionDialog
      title="Make a fleet"
      button="Make it"
      isReady={isName && chosen !== undefined}
      onClose={onClose}
      act={async (call) => {
        if (chosen === undefined) return
        await call(createFleet, { body: { name, ...chosen, follow } })
      }}
      changes={[listFleets]}
    >
      <TextInput
        label="Name"
        name="fleet-name"
        autoComplete="off"
        maxLength={63}
        value={name}
        error={
          name !== '' && !isName ? 'Letters a-z, digits and -, beginning with a letter.' : null
        }
        onChange={(event) => setName(event.currentTarget.value)}
      />
      {lines.length === 0 ? (
        <Text>There is no channel that it could follow. “seaworthy channel create” makes one.</Text>
      ) : (
        <NativeSelect
          label="Product and channel"
          name="line"
          value={String(line)}
          data={lines.map(({ product, channel }, index) => ({
            value: String(index),
            label: `${product}, ${channel}`,
          }))}
          onChange={(event) => setLine(Number(event.currentTarget.value))}
        />
      )}
      <FollowField value={follow} onChange={setFollow} />
      {chosen !== undefined && (
        <CliLine
          line={formatCommand(
            ...['seaworthy', 'fleet', 'create', name === '' ? 'NAME' : name],
            ...['--product', chosen.product, '--channel', chosen.channel, '--follow', follow],
          )}
        />
      )}
    </ActionDialog>
  )
}

export function ChangeFleetDialog(props: {
  readonly fleet: FleetView
  readonly onClose: () => void
}) {
  const { fleet, onClose } = props
  const [follow, setFollow] = useState(fleet.follow)
  const [isOn, setIsOn] = useState(fleet.updatesEnabled)
  const [pin, setPin] = useState(fleet.pinnedVersion ?? '')
  const isPin = pin === '' || versionField.safeParse(pin).success
  const pinned = pin === '' ? null : pin
  const changes = [
    ...(follow === fleet.follow ? [] : ['--follow', follow]),
    ...(isOn === fleet.updatesEnabled ? [] : ['--updates', isOn ? 'on' : 'off']),
    ...(pinned === fleet.pinnedVersion
      ? []
      : pinned === null
        ? ['--unpin']
        : ['--pin-version', pin]),
  ]
  return (
    <ActionDialog
      title={`Change ${fleet.name}`}
      button="Change"
      isReady={isPin && changes.length > 0}
      onClose={onClose}
      act={(call) =>
        call(setFleet, {
          params: { fleet: fleet.name },
          body: { follow, updatesEnabled: isOn, pinnedVersion: pinned },
        })
      }
      changes={[showFleet, listFleets]}
    >
      <Switch
        label="Devices are given new releases"
        checked={isOn}
        onChange={(event) => setIsOn(event.currentTarget.checked)}
      />
      <FollowField value={follow} onChange={setFollow} />
      <TextInput
        label="Held at version"
        description="Empty for none. It holds devices that follow the newest release."
        name="pin"
        autoComplete="off"
        maxLength={128}
        value={pin}
        error={isPin ? null : 'Letters, digits and . _ + -'}
        onChange={(event) => setPin(event.currentTarget.value.trim())}
      />
      <Text>{describeEffect(fleet, { follow, isOn, pinned })}</Text>
      {changes.length > 0 && (
        <CliLine line={formatCommand('seaworthy', 'fleet', 'set', fleet.name, ...changes)} />
      )}
    </ActionDialog>
  )
}

interface Wanted {
  readonly follow: Follow
  readonly isOn: boolean
  readonly pinned: string | null
}

function describeEffect(fleet: FleetView, { follow, isOn, pinned }: Wanted): string {
  const count = fleet.devicesCount
  const all = count === 1 ? 'Its only device' : `Its ${count.toLocaleString()} devices`
  const take = count === 1 ? 'takes' : 'take'
  if (!isOn)
    return `${all} ${count === 1 ? 'keeps' : 'keep'} what they run, and are offered nothing.`
  if (follow === 'rollouts') return `${all} ${take} what rollouts offer, and the baseline.`
  if (pinned !== null) return `${all} ${take} ${pinned} the next time they ask, if it is newer.`
  return `${all} ${take} the newest release of ${fleet.product}, ${fleet.channel}, the next time they ask: all at once, without waves.`
}
