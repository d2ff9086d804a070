/** One rollout: how far its waves are, what happens next, and what people can do. */
import { Button, Group, List, Paper, Text } from '@mantine/core'
import { showRollout, showRolloutHistory } from '@seaworthy/api/rollouts'
import type { RolloutView } from '@seaworthy/api/rollouts'
import { describeMembers, describePolicy } from '@seaworthy/fleet/rollouts'
import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { ApproveWaveDialog, StopDialog } from '../forms/rollout.tsx'
import type { StopKind } from '../forms/rollout.tsx'
import { usePorts } from '../ports.ts'
import { describeGate, describeWave, markOfRollout, markOfWave } from '../rollout-words.ts'
import { useLive, useMay } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { Facts } from '../ui/facts.tsx'
import { Instant } from '../ui/instant.tsx'
import { Marks } from '../ui/marks.tsx'
import { Page, Section } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'
import { TextLink } from '../ui/text-link.tsx'
import { WaveBar, WaveLegend } from '../ui/wave-bar.tsx'
import classes from '../ui/wave-bar.module.css'
import { RolloutUpdates } from './rollout-updates.tsx'

export function RolloutPage() {
  const { rolloutId } = useParams({ from: '/shell/rollouts/$rolloutId' })
  const rollout = useLive(showRollout, { params: { rolloutId } })
  const { data } = rollout
  return (
    <Page
      title={data === undefined ? 'Rollout' : `${data.product} ${data.version} to ${data.fleet}`}
      {...(data === undefined ? {} : { action: <Actions rollout={data} /> })}
    >
      <Loaded query={rollout} what="the rollout">
        {(shown) => <Shown rollout={shown} />}
      </Loaded>
    </Page>
  )
}

function Shown({ rollout }: { readonly rollout: RolloutView }) {
  const may = useMay()
  const { id, state, stopReason, next, policy } = rollout
  return (
    <>
      <Marks marks={[markOfRollout(rollout)]} />
      {state === 'aborted' && stopReason !== null && <Text fw={600}>{stopReason}</Text>}
      <Section title="What happens next">
        <Text role="status">{next}</Text>
        <CliLine line={formatCommand('seaworthy', 'rollout', 'watch', id)} />
      </Section>
      <WaveSection rollout={rollout} />
      <FailureSection rolloutId={id} />
      {may('update:read') && <RolloutUpdates rolloutId={id} />}
      <Section title="What it is">
        <Facts
          facts={[
            ['Identifier', <code key="id">{id}</code>],
            [
              'Fleet',
              <TextLink key="fleet" to="/fleets/$fleet" params={{ fleet: rollout.fleet }}>
                {rollout.fleet}
              </TextLink>,
            ],
            ['Release', `${rollout.product} ${rollout.version}, counter ${rollout.counter}`],
            ['Digest', <code key="digest">{`sha256:${rollout.sha256}`}</code>],
            ['Begun', <Instant key="begun" at={rollout.createdAt} />],
            ['By', rollout.createdBy],
            ['Starts', <Instant key="starts" at={rollout.startAt} />],
            [
              'Ended',
              rollout.endedAt === null ? undefined : <Instant key="end" at={rollout.endedAt} />,
            ],
            [
              'Way back of',
              rollout.wayBackOf === null ? undefined : (
                <TextLink
                  key="back"
                  to="/rollouts/$rolloutId"
                  params={{ rolloutId: rollout.wayBackOf }}
                >
                  {rollout.wayBackOf}
                </TextLink>
              ),
            ],
          ]}
        />
      </Section>
      <Section title="Policy">
        <PolicyWords lines={describePolicy(policy)} />
      </Section>
      <ChangeSection changes={rollout.policyChanges} />
    </>
  )
}

/** The changes of the policy and who made them, newest first; nothing where there are none. */
function ChangeSection({ changes }: { readonly changes: RolloutView['policyChanges'] }) {
  if (changes.length === 0) return null
  return (
    <Section title="Changes of the policy">
      {changes.toReversed().map(({ at, by, reason, lines }) => (
        <div key={at}>
          <Text size="sm">
            <Instant at={at} /> by {by}
            {reason === null ? '' : `: ${reason}`}
          </Text>
          <PolicyWords lines={lines} />
        </div>
      ))}
    </Section>
  )
}

/** The statements of a policy, one line each; those about waves are indented, under a heading. */
export function PolicyWords({ lines }: { readonly lines: readonly string[] }) {
  return (
    <List size="sm" listStyleType="none">
      {lines
        .filter((line) => line !== 'Waves')
        .map((line) => (
          <List.Item key={line}>{line.replace(/^ +(\d+) +/, 'Wave $1: ')}</List.Item>
        ))}
    </List>
  )
}

function WaveSection({ rollout }: { readonly rollout: RolloutView }) {
  const may = useMay()
  const { clock } = usePorts()
  const [approving, setApproving] = useState<number>()
  return (
    <Section title="Waves">
      <Paper withBorder component="ol" className={classes['waves']} aria-label="Waves">
        {rollout.waves.map((wave) => {
          const planned = rollout.policy.waves[wave.number - 1]!
          const gate = describeGate(rollout, wave, clock.now())
          return (
            <li key={wave.number} className={classes['wave']}>
              <div className={classes['line']}>
                <strong>Wave {wave.number}</strong>
                <span>{describeMembers(planned.members)}</span>
                <Marks marks={[markOfWave(wave)]} />
                <span className={classes['grow']} />
                <span>{describeWave(wave)}</span>
              </div>
              <WaveBar wave={wave} />
              <div className={classes['line']}>
                {gate !== undefined && <span>{gate}</span>}
                {wave.approvedBy !== null && <span>Approved by {wave.approvedBy}.</span>}
                {planned.needsApproval && wave.approvedAt === null && (
                  <>
                    <span>It opens only once a person has approved it.</span>
                    {may('rollout:approve') && rollout.endedAt === null && (
                      <Button size="compact-sm" onClick={() => setApproving(wave.number)}>
                        Approve wave {wave.number}
                      </Button>
                    )}
                  </>
                )}
              </div>
            </li>
          )
        })}
      </Paper>
      <WaveLegend />
      {approving !== undefined && (
        <ApproveWaveDialog
          rollout={rollout}
          wave={approving}
          onClose={() => setApproving(undefined)}
        />
      )}
    </Section>
  )
}

function FailureSection({ rolloutId }: { readonly rolloutId: string }) {
  const history = useLive(showRolloutHistory, { params: { rolloutId } })
  const failures = history.data?.failures ?? []
  if (failures.length === 0) return null
  return (
    <Section title="Failures">
      <List size="sm">
        {failures
          .toSorted((a, b) => b.count - a.count)
          .map(({ state, code, count }) => (
            <List.Item key={`${state} ${code}`}>
              {count.toLocaleString()} {state.replaceAll('_', ' ')}
              {code === null ? '' : `: ${code}`}
            </List.Item>
          ))}
      </List>
    </Section>
  )
}

function Actions({ rollout }: { readonly rollout: RolloutView }) {
  const may = useMay()
  const [open, setOpen] = useState<StopKind>()
  if (!may('rollout:write') || rollout.endedAt !== null) return null
  const button = (kind: StopKind, label: string) => (
    <Button
      variant={kind === 'abort' ? 'default' : 'filled'}
      color={kind === 'abort' ? 'red' : 'blue'}
      onClick={() => setOpen(kind)}
    >
      {label}
    </Button>
  )
  return (
    <Group gap="xs">
      {rollout.state === 'paused' ? button('resume', 'Resume') : button('pause', 'Pause')}
      {button('abort', 'Abort')}
      {open !== undefined && (
        <StopDialog kind={open} rollout={rollout} onClose={() => setOpen(undefined)} />
      )}
    </Group>
  )
}
