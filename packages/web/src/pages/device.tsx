/** One device: what it is, runs and did, why it gets what it gets, and what people do with it. */
import { Button, Group, Text } from '@mantine/core'
import { showDevice } from '@seaworthy/api/devices'
import type { ReplyOf } from '@seaworthy/api/route'
import { explainDevice } from '@seaworthy/api/updates'
import { useNavigate, useParams } from '@tanstack/react-router'
import { formatBytes } from '../byte-words.ts'
import { useState } from 'react'
import {
  describeClock,
  formatTags,
  markOfState,
  marksOfDevice,
  nameOfDevice,
} from '../device-words.ts'
import { ChangeDeviceDialog, MoveDeviceDialog, RemoveDeviceDialog } from '../forms/device.tsx'
import { useLive, useMay } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { formatSeconds } from '../times.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { Facts } from '../ui/facts.tsx'
import type { Fact } from '../ui/facts.tsx'
import { Instant } from '../ui/instant.tsx'
import { Marks } from '../ui/marks.tsx'
import { Page, Section } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'
import { TextLink } from '../ui/text-link.tsx'
import { ReportSection, UpdateSection } from './device-history.tsx'
import { SecretSection, VariableSection } from './settings.tsx'

type Device = ReplyOf<typeof showDevice>

export function DevicePage() {
  const { deviceId } = useParams({ from: '/shell/devices/$deviceId' })
  const device = useLive(showDevice, { params: { deviceId } })
  const title = device.data === undefined ? 'Device' : nameOfDevice(device.data)
  return (
    <Page
      title={title}
      {...(device.data === undefined ? {} : { action: <Actions device={device.data} /> })}
    >
      <Loaded query={device} what="the device">
        {(shown) => <Shown device={shown} />}
      </Loaded>
    </Page>
  )
}

function Shown({ device }: { readonly device: Device }) {
  const may = useMay()
  const { id, update } = device
  return (
    <>
      <Marks
        marks={[
          ...(update === null ? [] : [markOfState(update.state, update.code)]),
          ...marksOfDevice(device),
        ]}
      />
      {may('update:read') && <WhySection deviceId={id} />}
      <Section title="What it is">
        <Facts facts={factsOf(device)} />
        <CliLine line={formatCommand('seaworthy', 'device', 'show', id)} />
      </Section>
      {may('update:read') && <UpdateSection deviceId={id} />}
      {may('variable:read') && device.protocol === 'agent' && (
        <VariableSection deviceId={id} fleet={device.fleet} />
      )}
      {may('secret:read') && device.protocol === 'agent' && (
        <SecretSection deviceId={id} fleet={device.fleet} />
      )}
      <ReportSection reports={device.reports} />
    </>
  )
}

function factsOf(device: Device): Fact[] {
  const { running, unsignedVersion, publicKey, configuration, lastRefusal, machine } = device
  return [
    ['Identifier', <code key="id">{device.id}</code>],
    [
      'Fleet',
      <TextLink key="fleet" to="/devices" search={{ fleet: device.fleet }}>
        {device.fleet}
      </TextLink>,
    ],
    [
      'Runs',
      running === null
        ? unsignedVersion === null
          ? 'nothing yet'
          : `${unsignedVersion} (not signed)`
        : `${running.product} ${running.version}, counter ${running.counter}`,
    ],
    [
      'Digest',
      running === null ? undefined : <code key="digest">{`sha256:${running.sha256}`}</code>,
    ],
    [
      'Last heard',
      device.lastSeenAt === null ? 'never' : <Instant key="seen" at={device.lastSeenAt} />,
    ],
    ['Tags', formatTags(device.tags) || 'none'],
    ['Platform', device.platform],
    ['Hardware', device.hardware ?? undefined],
    ['Protocol', device.protocol === 'agent' ? undefined : device.protocol],
    ['Agent', device.protocol === 'agent' ? device.agentVersion : undefined],
    ['System', machine === null ? undefined : (machine.os ?? 'unknown')],
    ['Kernel', machine === null ? undefined : `${machine.kernel}, ${machine.architecture}`],
    ['Node', machine?.node],
    ['Model', machine?.model],
    ['Booted', machine === null ? undefined : <Instant key="booted" at={machine.bootedAt} />],
    ['Free disk', machine?.freeBytes === undefined ? undefined : formatBytes(machine.freeBytes)],
    ['Clock', device.clockOffsetSeconds === null ? undefined : describeClock(device)],
    [
      'Metadata age',
      device.timestampAgeSeconds === null
        ? device.protocol === 'agent'
          ? 'never verified'
          : undefined
        : `${formatSeconds(device.timestampAgeSeconds)}, when it reported last`,
    ],
    ['Variables', configuration === null ? undefined : describeConfiguration(configuration)],
    [
      'Last refusal',
      lastRefusal === null ? undefined : (
        <>
          {lastRefusal.code}, <Instant at={lastRefusal.at} />
        </>
      ),
    ],
    [
      'Enrolment',
      device.protocol !== 'agent'
        ? undefined
        : device.enrolment === null
          ? 'none: no secret reaches it'
          : 'shown; “seaworthy device show” verifies it, which no page can',
    ],
    ['Key', publicKey === null ? 'none; it has a token' : publicKey.scheme],
    ['Registered', <Instant key="registered" at={device.registeredAt} />],
  ]
}

function describeConfiguration({ version, failed }: NonNullable<Device['configuration']>): string {
  const has = version === null ? 'none yet' : `version ${version}`
  return failed === undefined ? has : `${has}; version ${failed.version} was put back`
}

/** The zone of the browser, which the sentence tells times in. */
const timeZone = () => new Intl.DateTimeFormat().resolvedOptions().timeZone

function WhySection({ deviceId }: { readonly deviceId: string }) {
  const why = useLive(explainDevice, { params: { deviceId }, query: { timeZone: timeZone() } })
  return (
    <Section title="Why it gets what it gets">
      <Loaded query={why} what="the reason">
        {({ sentence, earliestAt, code, wave, placePercent }) => (
          <>
            <Text>{sentence}</Text>
            <Text size="sm" c="dimmed">
              {[
                wave === null ? undefined : `wave ${wave}`,
                placePercent === null
                  ? undefined
                  : `place ${Math.ceil(placePercent * 1000) / 1000} %`,
                code,
              ]
                .filter((part) => part !== undefined)
                .join(' · ')}
              {earliestAt !== null && (
                <>
                  {' · may change '}
                  <Instant at={earliestAt} />
                </>
              )}
            </Text>
          </>
        )}
      </Loaded>
      <CliLine line={formatCommand('seaworthy', 'device', 'why', deviceId)} />
    </Section>
  )
}

function Actions({ device }: { readonly device: Device }) {
  const may = useMay()
  const navigate = useNavigate()
  const [open, setOpen] = useState<'change' | 'move' | 'remove'>()
  const close = () => setOpen(undefined)
  if (!may('device:write')) return null
  return (
    <Group gap="xs">
      <Button variant="default" onClick={() => setOpen('change')}>
        Name and tags
      </Button>
      <Button variant="default" onClick={() => setOpen('move')}>
        Move
      </Button>
      <Button variant="default" color="red" onClick={() => setOpen('remove')}>
        Remove
      </Button>
      {open === 'change' && <ChangeDeviceDialog device={device} onClose={close} />}
      {open === 'move' && <MoveDeviceDialog device={device} onClose={close} />}
      {open === 'remove' && (
        <RemoveDeviceDialog
          device={device}
          onClose={close}
          onRemoved={() => void navigate({ to: '/devices' })}
        />
      )}
    </Group>
  )
}
