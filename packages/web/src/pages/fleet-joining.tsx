/** How devices join a fleet, and which of them restart now. */
import { Button, Text, Textarea } from '@mantine/core'
import { listProvisioningKeys, revokeProvisioningKey } from '@seaworthy/api/provisioning-keys'
import type { ProvisioningKeyView } from '@seaworthy/api/provisioning-keys'
import { listRebootLocks, releaseRebootLock } from '@seaworthy/api/reboot-locks'
import type { RebootLockView } from '@seaworthy/api/reboot-locks'
import { useState } from 'react'
import { useLive, useMay } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { formatSeconds } from '../times.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { CliLine } from '../ui/cli-line.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Instant } from '../ui/instant.tsx'
import { Section } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'
import { TextLink } from '../ui/text-link.tsx'

const shownMax = 200

export function JoiningSection({ fleet }: { readonly fleet: string }) {
  const mayChange = useMay()('provisioning-key:write')
  const [revoking, setRevoking] = useState<ProvisioningKeyView>()
  const keys = useLive(listProvisioningKeys, { params: { fleet }, query: { limit: shownMax } })
  const revoke = {
    title: 'Actions',
    isActions: true,
    show: (key: ProvisioningKeyView) => (
      <Button
        variant="default"
        size="compact-sm"
        onClick={() => setRevoking(key)}
        aria-label={`Revoke ${key.id}`}
      >
        Revoke
      </Button>
    ),
  }
  return (
    <Section
      title="Provisioning keys"
      about="With such a key a device joins by itself. The command below writes a ready agent.json, with the root that your machine has verified: a page could be given another one by whoever owns the server."
    >
      <Loaded query={keys} what="provisioning keys">
        {({ items, next }) =>
          items.length === 0 ? (
            <Text>None: no new device can join.</Text>
          ) : (
            <>
              <DataTable
                caption="Provisioning keys"
                rows={items}
                keyOf={({ id }) => id}
                columns={[
                  { title: 'Key', show: ({ id }) => <code>{id}</code> },
                  { title: 'Devices left', show: ({ usesLeft }) => usesLeft.toLocaleString() },
                  { title: 'Ends', show: ({ expiresAt }) => <Instant at={expiresAt} /> },
                  {
                    title: 'Enrols',
                    show: ({ enrolmentKeyId }) =>
                      enrolmentKeyId === null ? 'no: no secret reaches them' : 'yes',
                  },
                  { title: 'Made by', show: ({ createdBy }) => createdBy },
                  ...(mayChange ? [revoke] : []),
                ]}
              />
              {next !== null && <Text size="sm">The first {shownMax} are shown.</Text>}
            </>
          )
        }
      </Loaded>
      <CliLine
        line={`${formatCommand('seaworthy', 'provisioning-key', 'create', '--fleet', fleet)} --agent-config agent.json`}
      />
      {revoking !== undefined && (
        <RevokeKeyDialog provisioningKey={revoking} onClose={() => setRevoking(undefined)} />
      )}
    </Section>
  )
}

function RevokeKeyDialog(props: {
  readonly provisioningKey: ProvisioningKeyView
  readonly onClose: () => void
}) {
  const { provisioningKey, onClose } = props
  const { id, usesLeft } = provisioningKey
  return (
    <ActionDialog
      title="Revoke the provisioning key"
      button="Revoke it"
      isDangerous
      onClose={onClose}
      act={(call) => call(revokeProvisioningKey, { params: { provisioningKeyId: id } })}
      changes={[listProvisioningKeys]}
    >
      <Text>
        It ends at once:{' '}
        {usesLeft === 1 ? 'the device' : `the ${usesLeft.toLocaleString()} devices`} that could
        still join with it cannot. Devices that have joined stay.
      </Text>
      <CliLine line={formatCommand('seaworthy', 'provisioning-key', 'revoke', id)} />
    </ActionDialog>
  )
}

export function RestartsSection({ fleet }: { readonly fleet: string }) {
  const mayChange = useMay()('reboot-lock:write')
  const [releasing, setReleasing] = useState<RebootLockView>()
  const locks = useLive(listRebootLocks, { params: { fleet }, query: { limit: shownMax } })
  const release = {
    title: 'Actions',
    isActions: true,
    show: (lock: RebootLockView) => (
      <Button
        variant="default"
        size="compact-sm"
        onClick={() => setReleasing(lock)}
        aria-label={`Take the slot of ${lock.holder}`}
      >
        Take it back
      </Button>
    ),
  }
  return (
    <Section title="Restart slots">
      <Loaded query={locks} what="restart slots">
        {({ items, slots }) => (
          <>
            <Text>
              {items.length.toLocaleString()} of {slots === null ? 'unlimited' : slots} slots are
              taken now.
            </Text>
            {items.length > 0 && (
              <DataTable
                caption="Restart slots"
                rows={items}
                keyOf={({ id }) => id}
                columns={[
                  {
                    title: 'Holder',
                    show: ({ device, holder }) =>
                      device === null ? (
                        holder
                      ) : (
                        <TextLink to="/devices/$deviceId" params={{ deviceId: device.id }}>
                          {device.name ?? device.id}
                        </TextLink>
                      ),
                  },
                  { title: 'Since', show: ({ takenAt }) => <Instant at={takenAt} /> },
                  { title: 'For', show: ({ ageSeconds }) => formatSeconds(ageSeconds) },
                  {
                    title: 'Given up',
                    show: ({ expiresAt }) =>
                      expiresAt === null ? 'never by itself' : <Instant at={expiresAt} />,
                  },
                  ...(mayChange ? [release] : []),
                ]}
              />
            )}
          </>
        )}
      </Loaded>
      <CliLine line={formatCommand('seaworthy', 'reboot-lock', 'list', '--fleet', fleet)} />
      {releasing !== undefined && (
        <ReleaseLockDialog lock={releasing} onClose={() => setReleasing(undefined)} />
      )}
    </Section>
  )
}

function ReleaseLockDialog(props: { readonly lock: RebootLockView; readonly onClose: () => void }) {
  const { lock, onClose } = props
  const [reason, setReason] = useState('')
  return (
    <ActionDialog
      title="Take the slot back"
      button="Take it back"
      isDangerous
      isReady={reason.trim() !== ''}
      onClose={onClose}
      act={(call) =>
        call(releaseRebootLock, {
          params: { rebootLockId: lock.id },
          body: { reason: reason.trim() },
        })
      }
      changes={[listRebootLocks]}
    >
      <Text>
        {lock.device?.name ?? lock.holder} is not told: it may be in the middle of its restart, and
        another device may restart beside it.
      </Text>
      <Textarea
        label="Reason"
        description="It is in the log."
        maxLength={500}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
    </ActionDialog>
  )
}
