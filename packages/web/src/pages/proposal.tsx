/** One proposal: which signatures it has and needs, and how people sign it where their keys are. */
import { Alert, Button, FileInput, Group, Text, Textarea } from '@mantine/core'
import {
  addProposalSignatures,
  applyProposal,
  listProposals,
  rejectProposal,
  showProposal,
  showProposalChanges,
} from '@seaworthy/api/proposals'
import type { ProposalView } from '@seaworthy/api/proposals'
import type { ReplyOf } from '@seaworthy/api/route'
import { parseAnyJsonText } from '@seaworthy/std/json'
import { useMutation } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { saveFile } from '../downloads.ts'
import { useLive, useMay, useRead, useRefresh } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { ChangeLines, ContentChanges } from '../ui/change-lines.tsx'
import { CliLine } from '../ui/cli-line.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { ErrorAlert } from '../ui/explained.tsx'
import { Facts } from '../ui/facts.tsx'
import { Instant } from '../ui/instant.tsx'
import { Marks } from '../ui/marks.tsx'
import { Page, Section } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'
import { useConfirmedCall } from '../ui/step-up.tsx'
import { markOfProposal } from './proposals.tsx'
import { KeyIds } from './trust.tsx'

const signatureBytesMax = 256 * 1024

export function ProposalPage() {
  const { proposalId } = useParams({ from: '/shell/proposals/$proposalId' })
  const proposal = useLive(showProposal, { params: { proposalId } })
  const view = proposal.data?.view
  return (
    <Page
      title={view?.title ?? 'Proposal'}
      {...(view === undefined ? {} : { action: <Actions view={view} /> })}
    >
      <Loaded query={proposal} what="the proposal">
        {(shown) => (
          <>
            <Marks marks={[markOfProposal(shown.view)]} />
            <SignatureSection view={shown.view} />
            {shown.view.state === 'open' && (
              <SignSection view={shown.view} proposal={shown.proposal} />
            )}
            <Section title="What it is">
              <Facts
                facts={[
                  ['Identifier', <code key="id">{proposalId}</code>],
                  ['Kind', shown.view.kind],
                  ['Made', <Instant key="made" at={shown.view.createdAt} />],
                  ['By', shown.view.createdBy],
                ]}
              />
            </Section>
            <ProposedChanges proposalId={proposalId} state={shown.view.state} />
          </>
        )}
      </Loaded>
    </Page>
  )
}

function SignatureSection({ view }: { readonly view: ProposalView }) {
  return (
    <Section title="Signatures">
      <DataTable
        caption="Signatures"
        rows={view.roles}
        keyOf={({ role }) => role}
        columns={[
          { title: 'Document', show: ({ role, version }) => `${role}, version ${version}` },
          {
            title: 'Has',
            show: ({ signedKeyIds, threshold }) => `${signedKeyIds.length} of ${threshold}`,
          },
          {
            title: 'Signed by',
            show: ({ signedKeyIds }) =>
              signedKeyIds.length === 0 ? 'nobody yet' : <KeyIds keyIds={signedKeyIds} />,
          },
          {
            title: 'State',
            show: ({ complete }) => (
              <Marks
                marks={[
                  complete
                    ? { text: 'complete', tone: 'green' }
                    : { text: 'needs more', tone: 'yellow' },
                ]}
              />
            ),
          },
        ]}
      />
    </Section>
  )
}

function ProposedChanges(props: {
  readonly proposalId: string
  readonly state: ProposalView['state']
}) {
  const { proposalId, state } = props
  const changes = useRead(showProposalChanges, { params: { proposalId } })
  return (
    <Section
      title="What it changes"
      about="As this server reads it, against what is signed now. Signers compute it on their own machines, and believe that."
    >
      <Loaded query={changes} what="what it changes">
        {({ documents, releases, releasesCount }) => (
          <>
            {releases.map(({ product, version, channel, from, changes: content }) => (
              <Section
                key={`${product} ${version} ${channel}`}
                title={`${product} ${version} on ${channel}`}
                about={
                  from === null
                    ? 'The channel has no release yet: all of it is new.'
                    : `Compared with ${from}, which the channel has now.`
                }
              >
                <ContentChanges caption={`Content of ${product} ${version}`} changes={content} />
              </Section>
            ))}
            {releasesCount > releases.length && (
              <Text size="sm" c="dimmed">
                {releasesCount - releases.length} more releases are shown by the command line.
              </Text>
            )}
            {state === 'open' && <ChangeLines caption="Documents" lines={documents} />}
          </>
        )}
      </Loaded>
      <CliLine line={formatCommand('seaworthy', 'proposal', 'show', proposalId)} />
    </Section>
  )
}

function SignSection(props: {
  readonly view: ProposalView
  readonly proposal: ReplyOf<typeof showProposal>['proposal']
}) {
  const { view, proposal } = props
  const may = useMay()
  return (
    <Section title="How to sign">
      <Alert color="blue" variant="light" role="note" title="Nothing is signed in a browser">
        Whoever owns the server can change its pages, and show you one thing while another is
        signed. Keys stay on the machines of those who hold them; the command line there shows what
        it computed itself.
      </Alert>
      <Text size="sm">On a machine that reaches the server:</Text>
      <CliLine line={`${formatCommand('seaworthy', 'proposal', 'sign', view.id)} --key FILE`} />
      <Text size="sm">On a machine without any network, with a file that somebody carries:</Text>
      <CliLine
        line={formatCommand('seaworthy', 'proposal', 'export', view.id, '-o', 'proposal.json')}
      />
      <Group align="center">
        <Button
          variant="default"
          onClick={() =>
            saveFile('proposal.json', 'application/json', `${JSON.stringify(proposal)}\n`)
          }
        >
          Download proposal.json
        </Button>
        <Text size="sm">
          This file has the documents and what proves them, without the content of releases: export
          it with the command above, or carry the release along, so that the signer’s machine can
          look into it.
        </Text>
      </Group>
      <CliLine line="seaworthy proposal sign proposal.json --key FILE" />
      {may('proposal:write') && <UploadForm proposalId={view.id} />}
    </Section>
  )
}

function UploadForm({ proposalId }: { readonly proposalId: string }) {
  const call = useConfirmedCall()
  const refresh = useRefresh()
  const [file, setFile] = useState<File | null>(null)
  const isTooLong = file !== null && file.size > signatureBytesMax
  const add = useMutation({
    async mutationFn(chosen: File) {
      const signatures = readSignatures(await chosen.text())
      await call(addProposalSignatures, { params: { proposalId }, body: { signatures } })
      setFile(null)
      await refresh(showProposal, listProposals)
    },
  })
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (file !== null && !isTooLong) add.mutate(file)
      }}
    >
      <Group align="end">
        <FileInput
          label="Signatures that came back"
          description="The file proposal.json.signatures. The server verifies each before it keeps it."
          placeholder="Choose the file"
          value={file}
          error={isTooLong ? 'This is longer than any file of signatures.' : null}
          onChange={setFile}
        />
        <Button
          type="submit"
          variant="default"
          disabled={file === null || isTooLong}
          loading={add.isPending}
        >
          Add them
        </Button>
      </Group>
      <ErrorAlert error={add.error} />
    </form>
  )
}

/** What is not a JSON object is sent as an empty one, which the server refuses by name. */
function readSignatures(text: string): Record<string, unknown> {
  try {
    const value = parseAnyJsonText(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
  } catch (error) {
    if (error instanceof SyntaxError) return {}
    throw error
  }
}

function Actions({ view }: { readonly view: ProposalView }) {
  const may = useMay()
  const [open, setOpen] = useState<'apply' | 'reject'>()
  const close = () => setOpen(undefined)
  if (view.state !== 'open') return null
  return (
    <Group gap="xs">
      {may('proposal:apply') && view.complete && (
        <Button onClick={() => setOpen('apply')}>Publish</Button>
      )}
      {may('proposal:write') && (
        <Button variant="default" onClick={() => setOpen('reject')}>
          Reject
        </Button>
      )}
      {open === 'apply' && <ApplyDialog view={view} onClose={close} />}
      {open === 'reject' && <RejectProposalDialog view={view} onClose={close} />}
    </Group>
  )
}

interface OneProposal {
  readonly view: ProposalView
  readonly onClose: () => void
}

function ApplyDialog({ view, onClose }: OneProposal) {
  const count = view.roles.length
  return (
    <ActionDialog
      title="Publish the proposal"
      button="Publish"
      onClose={onClose}
      act={(call) => call(applyProposal, { params: { proposalId: view.id } })}
      changes={[showProposal, listProposals]}
    >
      <Text>
        {count === 1 ? 'One signed document is' : `${count} signed documents are`} put before
        devices: {view.title}. It cannot be taken back, only followed by another one.
      </Text>
    </ActionDialog>
  )
}

function RejectProposalDialog({ view, onClose }: OneProposal) {
  const [reason, setReason] = useState('')
  return (
    <ActionDialog
      title="Reject the proposal"
      button="Reject it"
      isDangerous
      isReady={reason.trim() !== ''}
      onClose={onClose}
      act={(call) =>
        call(rejectProposal, {
          params: { proposalId: view.id },
          body: { reason: reason.trim() },
        })
      }
      changes={[showProposal, listProposals]}
    >
      <Text>It is closed for good, with the signatures that it has. Nothing is published.</Text>
      <Textarea
        label="Reason"
        description="It is in the log."
        maxLength={1000}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
    </ActionDialog>
  )
}
