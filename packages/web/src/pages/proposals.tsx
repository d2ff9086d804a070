/** Proposals: what waits for offline signatures, and what became of the others. */
import { NativeSelect, Text } from '@mantine/core'
import { listProposals, proposalState } from '@seaworthy/api/proposals'
import type { ProposalView } from '@seaworthy/api/proposals'
import { readAllPages } from '../all-pages.ts'
import type { Mark, Tone } from '../device-words.ts'
import { usePorts } from '../ports.ts'
import { useLive, useMay } from '../session.ts'
import { useAddress } from '../ui/address.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { DataTable } from '../ui/data-table.tsx'
import type { DataColumn } from '../ui/data-table.tsx'
import { Downloads } from '../ui/downloads.tsx'
import { Instant } from '../ui/instant.tsx'
import { Marks } from '../ui/marks.tsx'
import { Page } from '../ui/page.tsx'
import { Pager } from '../ui/pager.tsx'
import { EmptyState, Loaded, NoPermissionState } from '../ui/states.tsx'
import { TextLink } from '../ui/text-link.tsx'

const shownMax = 50

const tones: Readonly<Record<ProposalView['state'], Tone>> = {
  open: 'blue',
  applied: 'green',
  rejected: 'red',
  outdated: 'gray',
}

export function markOfProposal({ state, complete }: ProposalView): Mark {
  return {
    text: state === 'open' ? (complete ? 'open, signed' : 'open, to sign') : state,
    tone: tones[state],
  }
}

export function ProposalsPage() {
  const may = useMay()
  return (
    <Page
      title="Proposals"
      about="What waits for the signatures of people who hold keys, on their own machines."
    >
      {may('proposal:read') ? (
        <ProposalList />
      ) : (
        <NoPermissionState sentence="Your role does not show proposals." />
      )}
    </Page>
  )
}

function ProposalList() {
  const { client } = usePorts()
  const address = useAddress()
  const state = proposalState.options.find((one) => one === address.get('state'))
  const after = address.get('after')
  const filter = state === undefined ? {} : { state }
  const proposals = useLive(listProposals, {
    query: { ...filter, limit: shownMax, ...(after === undefined ? {} : { after }) },
  })
  return (
    <>
      <NativeSelect
        label="State"
        maw={320}
        value={state ?? ''}
        data={[{ value: '', label: 'any' }, ...proposalState.options]}
        onChange={(event) => address.change({ state: event.currentTarget.value })}
      />
      <Loaded query={proposals} what="proposals">
        {({ items, next }) =>
          items.length === 0 && after === undefined ? (
            <EmptyState title={state === undefined ? 'No proposal yet' : 'None'}>
              A proposal is made by whatever changes what devices trust or run: “seaworthy publish”,
              for example.
            </EmptyState>
          ) : (
            <>
              <DataTable
                caption="Proposals"
                rows={items}
                keyOf={({ id }) => id}
                columns={columns}
                isDimmed={proposals.isPlaceholderData}
              />
              <Pager next={next}>
                <Downloads
                  name="proposals"
                  columns={columns}
                  load={() =>
                    readAllPages((part) =>
                      client.call(listProposals, { query: { ...filter, ...part } }),
                    )
                  }
                />
              </Pager>
            </>
          )
        }
      </Loaded>
      <CliLine line="seaworthy proposal list" />
    </>
  )
}

/** `2 of 3 for gateway.stable`, for each document. */
export function describeSignatures({ roles }: ProposalView): string {
  return roles
    .map(
      ({ role, signedKeyIds, threshold }) => `${signedKeyIds.length} of ${threshold} for ${role}`,
    )
    .join(', ')
}

const columns: readonly DataColumn<ProposalView>[] = [
  {
    title: 'Proposal',
    show: ({ id, title }) => (
      <TextLink to="/proposals/$proposalId" params={{ proposalId: id }} title={id}>
        {title}
      </TextLink>
    ),
    text: ({ title }) => title,
  },
  {
    title: 'State',
    show: (proposal) => <Marks marks={[markOfProposal(proposal)]} />,
    text: ({ state }) => state,
  },
  {
    title: 'Signatures',
    show: (proposal) => <Text size="sm">{describeSignatures(proposal)}</Text>,
    text: describeSignatures,
  },
  {
    title: 'Made',
    show: ({ createdAt }) => <Instant at={createdAt} />,
    text: ({ createdAt }) => createdAt,
  },
  { title: 'By', show: ({ createdBy }) => createdBy, text: ({ createdBy }) => createdBy },
  { title: 'Identifier', text: ({ id }) => id },
  { title: 'Kind', text: ({ kind }) => kind },
]
