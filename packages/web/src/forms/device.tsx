/** Changes of one device, each with what it will do. */
import { NativeSelect, Text, Textarea, TextInput } from '@mantine/core'
import {
  countDevices,
  listDevices,
  removeDevice,
  setDevice,
  showDevice,
} from '@seaworthy/api/devices'
import type { DeviceView } from '@seaworthy/api/devices'
import { listFleets } from '@seaworthy/api/fleets'
import { explainDevice } from '@seaworthy/api/updates'
import { useState } from 'react'
import { nameOfDevice, parseTags } from '../device-words.ts'
import { useRead } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { CliLine } from '../ui/cli-line.tsx'

interface OneDevice {
  readonly device: DeviceView
  readonly onClose: () => void
}

export function ChangeDeviceDialog({ device, onClose }: OneDevice) {
  const [name, setName] = useState(device.name ?? '')
  const [text, setText] = useState(() =>
    Object.entries(device.tags)
      .map(([tag, value]) => `${tag}=${value}`)
      .join('\n'),
  )
  const tags = parseTags(text)
  return (
    <ActionDialog
      title="Name and tags"
      button="Change"
      isReady={tags !== undefined}
      onClose={onClose}
      act={(call) =>
        call(setDevice, {
          params: { deviceId: device.id },
          body: {
            ...(name.trim() === '' ? {} : { name: name.trim() }),
            ...(tags === undefined ? {} : { tags }),
          },
        })
      }
      changes={[showDevice, listDevices]}
    >
      <TextInput
        label="Name"
        name="device-name"
        autoComplete="off"
        maxLength={128}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <Textarea
        label="Tags"
        description="One on each line, as name=value. Waves of rollouts may choose devices by them."
        rows={4}
        value={text}
        error={tags === undefined ? 'Each line is name=value, and each name comes once.' : null}
        onChange={(event) => setText(event.currentTarget.value)}
      />
    </ActionDialog>
  )
}

export function MoveDeviceDialog({ device, onClose }: OneDevice) {
  const [chosen, setChosen] = useState<string>()
  const fleets = useRead(listFleets, { query: { limit: 1000 } })
  const others = fleets.data?.items.filter(({ name }) => name !== device.fleet) ?? []
  const target = others.find(({ name }) => name === chosen) ?? others[0]
  return (
    <ActionDialog
      title={`Move ${nameOfDevice(device)}`}
      button="Move it"
      isReady={target !== undefined}
      onClose={onClose}
      act={async (call) => {
        if (target === undefined) return
        await call(setDevice, { params: { deviceId: device.id }, body: { fleet: target.name } })
      }}
      changes={[showDevice, listDevices, countDevices, explainDevice]}
    >
      {target === undefined ? (
        <Text>There is no other fleet. Make one with “seaworthy fleet create”.</Text>
      ) : (
        <>
          <NativeSelect
            label="To the fleet"
            name="fleet"
            value={target.name}
            data={others.map(({ name }) => name)}
            onChange={(event) => setChosen(event.currentTarget.value)}
          />
          <Text>
            One device leaves {device.fleet} and joins {target.name}, which has{' '}
            {target.devicesCount.toLocaleString()}. It then follows {target.product},{' '}
            {target.channel}
            {target.follow === 'rollouts' ? ', as rollouts offer it' : ', its newest release'}, and
            has that fleet’s variables. Secrets of {device.fleet} that it could read stay known to
            it; those of {target.name} reach it once somebody accepts it as a reader.
          </Text>
          <CliLine
            line={formatCommand('seaworthy', 'device', 'set', device.id, '--fleet', target.name)}
          />
        </>
      )}
    </ActionDialog>
  )
}

export function RemoveDeviceDialog(props: OneDevice & { readonly onRemoved: () => void }) {
  const { device, onClose, onRemoved } = props
  return (
    <ActionDialog
      title={`Remove ${nameOfDevice(device)}`}
      button="Remove it"
      isDangerous
      onClose={onClose}
      act={async (call) => {
        await call(removeDevice, { params: { deviceId: device.id } })
        onRemoved()
      }}
      changes={[listDevices, countDevices]}
    >
      <Text>
        One device of {device.fleet} is removed, and its credential ends at once. It goes on running{' '}
        {device.running?.version ?? 'what it runs'}, and gets no update any more. To come back, it
        joins anew with a provisioning key.
      </Text>
      {device.protocol === 'agent' && (
        <Text>
          Secrets that it could read stay known to whoever has it: the command line lists which to
          set anew.
        </Text>
      )}
      <CliLine line={formatCommand('seaworthy', 'device', 'remove', device.id)} />
    </ActionDialog>
  )
}
