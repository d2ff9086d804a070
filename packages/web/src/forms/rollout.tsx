/** Pauses, resumes or aborts a rollout, and approves a wave, each with what it will do. */
import { Text, Textarea } from '@mantine/core'
import {
  abortRollout,
  approveRollout,
  listRollouts,
  pauseRollout,
  resumeRollout,
  showRollout,
} from '@seaworthy/api/rollouts'
import type { RolloutView } from '@seaworthy/api/rollouts'
import { describeMembers } from '@seaworthy/fleet/rollouts'
import { useState } from 'react'
import { sumWaves } from '../rollout-words.ts'
import { formatCommand } from '../shell-words.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { CliLine } from '../ui/cli-line.tsx'

export type StopKind = 'pause' | 'resume' | 'abort'

const routes = { pause: pauseRollout, resume: resumeRollout, abort: abortRollout } as const
const titles = {
  pause: 'Pause the rollout',
  resume: 'Resume the rollout',
  abort: 'Abort the rollout',
} as const
const buttons = { pause: 'Pause it', resume: 'Resume it', abort: 'Abort it' } as const

function describeStop(kind: StopKind, rollout: RolloutView): string {
  const { healthy, inFlight, failed } = sumWaves(rollout)
  const devices = (count: number) =>
    count === 1 ? 'One device' : `${count === 0 ? 'No' : count.toLocaleString()} devices`
  switch (kind) {
    case 'pause':
      return `The release is offered to no further device. ${devices(inFlight)} in the middle of the update will finish it; ${healthy.toLocaleString()} already run the release. It can be resumed.`
    case 'resume':
      return `The release is offered again, as its policy says. ${failed === 0 ? 'No device has failed so far.' : `${devices(failed)} failed so far, which is taken as accepted.`}`
    case 'abort':
      return `The rollout ends for good. Of ${devices(inFlight).toLowerCase()} in the middle of the update, those that have not begun to install stay with what they run. ${healthy.toLocaleString()} that have the release keep it: “seaworthy rollout back” signs the way back.`
  }
}

export function StopDialog(props: {
  readonly kind: StopKind
  readonly rollout: RolloutView
  readonly onClose: () => void
}) {
  const { kind, rollout, onClose } = props
  const [reason, setReason] = useState('')
  const given = reason.trim() === '' ? {} : { reason: reason.trim() }
  return (
    <ActionDialog
      title={titles[kind]}
      button={buttons[kind]}
      isDangerous={kind === 'abort'}
      onClose={onClose}
      act={(call) => call(routes[kind], { params: { rolloutId: rollout.id }, body: given })}
      changes={[showRollout, listRollouts]}
    >
      <Text>{describeStop(kind, rollout)}</Text>
      <Textarea
        label="Reason"
        description="Optional. It is shown with the rollout, and is in the log."
        maxLength={500}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      <CliLine
        line={formatCommand(
          ...['seaworthy', 'rollout', kind, rollout.id],
          ...(given.reason === undefined ? [] : ['--reason', given.reason]),
        )}
      />
    </ActionDialog>
  )
}

export function ApproveWaveDialog(props: {
  readonly rollout: RolloutView
  readonly wave: number
  readonly onClose: () => void
}) {
  const { rollout, wave, onClose } = props
  const planned = rollout.policy.waves[wave - 1]!
  return (
    <ActionDialog
      title={`Approve wave ${wave}`}
      button="Approve"
      onClose={onClose}
      act={(call) => call(approveRollout, { params: { rolloutId: rollout.id }, body: { wave } })}
      changes={[showRollout, listRollouts]}
    >
      <Text>
        {rollout.product} {rollout.version} is offered to {describeMembers(planned.members)} of{' '}
        {rollout.fleet} as soon as the gate of the wave before has passed.
      </Text>
      <CliLine
        line={formatCommand(
          ...['seaworthy', 'rollout', 'approve', rollout.id, '--wave', String(wave)],
        )}
      />
    </ActionDialog>
  )
}
