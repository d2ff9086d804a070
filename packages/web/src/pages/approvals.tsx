/** What waits for another person, what became of it, and what needs one. */
import { Badge, Button, Group, List, Paper, Stack, Text, Textarea } from '@mantine/core'
import {
  approveRequest,
  listApprovals,
  rejectRequest,
  withdrawRequest,
} from '@seaworthy/api/approvals'
import type { ApprovalView } from '@seaworthy/api/approvals'
import { useState } from 'react'
import { useMay, useRead } from '../session.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Instant } from '../ui/instant.tsx'
import { Page, Section } from '../ui/page.tsx'
import { EmptyState, Loaded, NoPermissionState } from '../ui/states.tsx'
import { RulesSection } from './approvals-rules.tsx'

interface Open {
  readonly kind: 'approve' | 'reject' | 'withdraw'
  readonly request: ApprovalView
}

export function ApprovalsPage() {
  const may = useMay()
  const [open, setOpen] = useState<Open>()
  const close = () => setOpen(undefined)
  if (!may('approval:read')) {
    return (
      <Page title="Approvals">
        <NoPermissionState sentence="Your role does not show requests for approval." />
      </Page>
    )
  }
  return (
    <Page
      title="Approvals"
      about="What is done only once another person, who could do it themselves, has agreed."
    >
      <WaitingSection onOpen={setOpen} />
      <ClosedSection />
      <RulesSection mayChange={may('owner:write')} />
      {open?.kind === 'approve' && <ApproveDialog request={open.request} onClose={close} />}
      {open?.kind === 'reject' && <RejectDialog request={open.request} onClose={close} />}
      {open?.kind === 'withdraw' && <WithdrawDialog request={open.request} onClose={close} />}
    </Page>
  )
}

function WaitingSection({ onOpen }: { readonly onOpen: (open: Open) => void }) {
  const waiting = useRead(listApprovals, { query: { state: 'open', limit: 100 } })
  return (
    <Section title="Waiting">
      <Loaded query={waiting} what="requests">
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title="Nothing waits">
              When somebody asks for what the rules below name, it is shown here until it is
              decided, for a day at most.
            </EmptyState>
          ) : (
            <Stack>
              {items.map((request) => (
                <RequestCard key={request.id} request={request} onOpen={onOpen} />
              ))}
            </Stack>
          )
        }
      </Loaded>
    </Section>
  )
}

function RequestCard(props: {
  readonly request: ApprovalView
  readonly onOpen: (open: Open) => void
}) {
  const { request, onOpen } = props
  const { state, isOwn, mayDecide } = request
  const button = (kind: Open['kind'], label: string, color: string) => (
    <Button
      variant={kind === 'approve' ? 'filled' : 'default'}
      color={color}
      size="compact-md"
      onClick={() => onOpen({ kind, request })}
    >
      {label}
    </Button>
  )
  return (
    <Paper withBorder p="md" component="article" aria-label={request.effect[0] ?? request.action}>
      <Stack gap="sm">
        <Group gap="xs">
          <strong>{nameOf(request)}</strong>
          {isOwn && <Badge color="green">you</Badge>}
          <Badge color={state === 'approved' ? 'green' : 'gray'}>{state}</Badge>
          <Text size="sm" c="dimmed" component="span">
            ends <Instant at={request.expiresAt} />
          </Text>
        </Group>
        <Effect request={request} />
        {state === 'approved' && (
          <Text size="sm">
            {request.decidedBy?.name ?? 'Somebody'} has approved it. It is carried out when whoever
            asked does the same again.
          </Text>
        )}
        <Group>
          {mayDecide && state === 'pending' && button('approve', 'Approve', 'blue')}
          {mayDecide && button('reject', 'Reject', 'red')}
          {isOwn && button('withdraw', 'Withdraw', 'red')}
        </Group>
      </Stack>
    </Paper>
  )
}

function Effect({ request }: { readonly request: ApprovalView }) {
  const { effect, devicesMax } = request
  return (
    <Stack gap="xs">
      <List size="sm" listStyleType="none">
        {effect.map((line, index) => (
          // oxlint-disable-next-line react/no-array-index-key -- lines never change their order
          <List.Item key={index}>{line}</List.Item>
        ))}
      </List>
      {devicesMax !== null && (
        <Text size="sm">
          It may reach {devicesMax === 1 ? 'one device' : `${devicesMax.toLocaleString()} devices`}{' '}
          at most.
        </Text>
      )}
    </Stack>
  )
}

const nameOf = ({ requestedBy }: ApprovalView) => requestedBy.name ?? requestedBy.id

function ApproveDialog(props: { readonly request: ApprovalView; readonly onClose: () => void }) {
  const { request, onClose } = props
  return (
    <ActionDialog
      title="Approve what would happen"
      button="Approve"
      onClose={onClose}
      act={(call) => call(approveRequest, { params: { approvalId: request.id } })}
      changes={[listApprovals]}
    >
      <Text>
        {nameOf(request)} may do exactly this, once, within a day. You could do it yourself; you
        answer for it with them.
      </Text>
      <Effect request={request} />
    </ActionDialog>
  )
}

function RejectDialog(props: { readonly request: ApprovalView; readonly onClose: () => void }) {
  const { request, onClose } = props
  const [reason, setReason] = useState('')
  return (
    <ActionDialog
      title="Reject the request"
      button="Reject"
      isDangerous
      isReady={reason.trim() !== ''}
      onClose={onClose}
      act={(call) => call(rejectRequest, { params: { approvalId: request.id }, body: { reason } })}
      changes={[listApprovals]}
    >
      <Textarea
        label="Why"
        description={`${nameOf(request)} reads it, and it is in the log.`}
        maxLength={500}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
    </ActionDialog>
  )
}

function WithdrawDialog(props: { readonly request: ApprovalView; readonly onClose: () => void }) {
  const { request, onClose } = props
  return (
    <ActionDialog
      title="Withdraw your request"
      button="Withdraw"
      onClose={onClose}
      act={(call) => call(withdrawRequest, { params: { approvalId: request.id } })}
      changes={[listApprovals]}
    >
      <Text>Nobody can approve it any more, and what was approved is not carried out.</Text>
    </ActionDialog>
  )
}

function ClosedSection() {
  const closed = useRead(listApprovals, { query: { state: 'closed', limit: 20 } })
  return (
    <Section title="Decided lately">
      <Loaded query={closed} what="requests">
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title="Nothing yet">
              What was decided is listed here for a while.
            </EmptyState>
          ) : (
            <DataTable
              caption="Decided lately"
              rows={items}
              keyOf={({ id }) => id}
              columns={[
                { title: 'What', show: ({ effect, action }) => effect[0] ?? action },
                { title: 'Asked by', show: nameOf },
                { title: 'Became', show: ({ state }) => state },
                { title: 'By', show: ({ decidedBy }) => decidedBy?.name ?? decidedBy?.id ?? '–' },
                { title: 'Why', show: ({ reason }) => reason ?? '–' },
              ]}
            />
          )
        }
      </Loaded>
    </Section>
  )
}
