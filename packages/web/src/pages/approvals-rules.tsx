/** What needs another person; owners decide, and once there is a rule, two of them. */
import { Button, Checkbox, List, NumberInput, Paper, Text } from '@mantine/core'
import { listApprovals, setApprovalPolicy, showApprovalPolicy } from '@seaworthy/api/approvals'
import { ProblemError } from '@seaworthy/api/problems'
import type { ReplyOf } from '@seaworthy/api/route'
import { useState } from 'react'
import { useRead } from '../session.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { Section } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'

type Rules = ReplyOf<typeof showApprovalPolicy>['rules']

export function RulesSection({ mayChange }: { readonly mayChange: boolean }) {
  const policy = useRead(showApprovalPolicy, {})
  const [isChanging, setIsChanging] = useState(false)
  return (
    <Section
      title="What needs an approval"
      action={
        mayChange && (
          <Button variant="default" onClick={() => setIsChanging(true)}>
            Change the rules
          </Button>
        )
      }
    >
      <Loaded query={policy} what="the rules">
        {({ rules, since }) => (
          <>
            <Paper withBorder p="md">
              {since === null ? (
                <Text>Nothing needs an approval.</Text>
              ) : (
                <List>
                  {describe(rules).map((line) => (
                    <List.Item key={line}>{line}</List.Item>
                  ))}
                </List>
              )}
            </Paper>
            {isChanging && <ChangeDialog before={rules} onClose={() => setIsChanging(false)} />}
          </>
        )}
      </Loaded>
    </Section>
  )
}

function describe(rules: Rules): string[] {
  const { releaseDevicesAbove: above, deviceRemoval, credentialLease } = rules
  return [
    ...(above === null
      ? []
      : [
          `Another release for more than ${above.toLocaleString()} devices, by one person within 24 hours`,
        ]),
    ...(deviceRemoval ? ['The removal of a device, or cutting it off in another way'] : []),
    ...(credentialLease ? ['Each lease of a stored credential'] : []),
    'A change of these rules, by another owner',
  ]
}

function ChangeDialog(props: { readonly before: Rules; readonly onClose: () => void }) {
  const { before, onClose } = props
  const [rules, setRules] = useState(before)
  const above = rules.releaseDevicesAbove
  return (
    <ActionDialog
      title="What needs an approval"
      button="Change"
      onClose={onClose}
      act={async (call) => {
        try {
          await call(setApprovalPolicy, { body: rules })
        } catch (error) {
          // The request is shown on this page, with what becomes of it.
          if (!(error instanceof ProblemError) || error.code !== 'approval_required') throw error
        }
      }}
      changes={[showApprovalPolicy, listApprovals]}
    >
      <Text size="sm">
        Once there is a rule, a change of the rules needs another owner: it is asked for here, and
        made when you do the same again after they have approved it. Everybody who may sign in now
        counts as a person of their own from then on.
      </Text>
      <Checkbox
        label="Another release for many devices"
        checked={above !== null}
        onChange={(event) =>
          setRules({ ...rules, releaseDevicesAbove: event.currentTarget.checked ? 10 : null })
        }
      />
      {above !== null && (
        <NumberInput
          label="For more devices than"
          min={0}
          max={100_000_000}
          allowDecimal={false}
          value={above}
          onChange={(value) =>
            setRules({ ...rules, releaseDevicesAbove: typeof value === 'number' ? value : 0 })
          }
        />
      )}
      <Checkbox
        label="The removal of a device, or cutting it off in another way"
        checked={rules.deviceRemoval}
        onChange={(event) => setRules({ ...rules, deviceRemoval: event.currentTarget.checked })}
      />
      <Checkbox
        label="Each lease of a stored credential"
        checked={rules.credentialLease}
        onChange={(event) => setRules({ ...rules, credentialLease: event.currentTarget.checked })}
      />
    </ActionDialog>
  )
}
