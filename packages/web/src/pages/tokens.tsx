/** Tokens of command lines, service accounts and scripts: made, looked at, revoked. */
import { Button, Stack, Text } from '@mantine/core'
import { listTokens, revokeToken } from '@seaworthy/api/tokens'
import type { TokenView } from '@seaworthy/api/tokens'
import { useState } from 'react'
import { TokenDialog } from '../forms/token.tsx'
import { describeRoles, describeScope } from '../role-words.ts'
import { useMay, useRead } from '../session.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Instant } from '../ui/instant.tsx'
import { Page, Section } from '../ui/page.tsx'
import { SecretOnce } from '../ui/secret-once.tsx'
import { EmptyState, Loaded, NoPermissionState } from '../ui/states.tsx'

const shownMax = 200

export function TokensPage() {
  const may = useMay()
  const [isMaking, setIsMaking] = useState(false)
  const [revoking, setRevoking] = useState<TokenView>()
  const [made, setMade] = useState<string>()
  const mayChange = may('token:write')
  if (!may('token:read')) {
    return (
      <Page title="Tokens">
        <NoPermissionState sentence="Your role does not show tokens." />
      </Page>
    )
  }
  return (
    <Page
      title="Tokens"
      action={mayChange && <Button onClick={() => setIsMaking(true)}>Make a token</Button>}
    >
      <TokenSection mayChange={mayChange} onRevoke={setRevoking} />
      {isMaking && <TokenDialog onMade={setMade} onClose={() => setIsMaking(false)} />}
      {revoking !== undefined && (
        <RevokeDialog token={revoking} onClose={() => setRevoking(undefined)} />
      )}
      {made !== undefined && !isMaking && (
        <SecretOnce
          title="The token"
          about="Put it where the program reads it, and nowhere else. It is not shown again; if it is lost, make a new one."
          secret={made}
          onClose={() => setMade(undefined)}
        />
      )}
    </Page>
  )
}

function TokenSection(props: {
  readonly mayChange: boolean
  readonly onRevoke: (token: TokenView) => void
}) {
  const { mayChange, onRevoke } = props
  const tokens = useRead(listTokens, { query: { limit: shownMax } })
  return (
    <Section
      title="Tokens that work"
      about="What programs sign in with. A person’s own command line gets its token by pairing."
    >
      <Loaded query={tokens} what="tokens">
        {({ items, next }) =>
          items.length === 0 ? (
            <EmptyState title="No tokens">
              A token lets a program do what its role allows, for as long as you say.
            </EmptyState>
          ) : (
            <Stack gap="xs">
              <DataTable
                caption="Tokens"
                rows={items}
                keyOf={({ id }) => id}
                columns={[
                  { title: 'Name', show: ({ id, name }) => <span title={id}>{name}</span> },
                  { title: 'Role', show: describeRoles },
                  { title: 'Reaches', show: (token) => describeScope(token) },
                  {
                    title: 'Networks',
                    show: ({ networks }) => (networks === null ? 'any' : networks.join(', ')),
                  },
                  {
                    title: 'Last used',
                    show: ({ lastUsedAt }) =>
                      lastUsedAt === null ? 'never' : <Instant at={lastUsedAt} />,
                  },
                  { title: 'Ends', show: ({ expiresAt }) => <Instant at={expiresAt} /> },
                  {
                    title: 'Actions',
                    isActions: true,
                    show: (token) =>
                      mayChange ? (
                        <Button
                          variant="subtle"
                          color="red"
                          size="compact-sm"
                          aria-label={`Revoke the token ${token.name}`}
                          onClick={() => onRevoke(token)}
                        >
                          Revoke
                        </Button>
                      ) : null,
                  },
                ]}
              />
              {next !== null && (
                <Text size="sm" c="dimmed">
                  The first {shownMax} are shown; “seaworthy token list” has them all.
                </Text>
              )}
            </Stack>
          )
        }
      </Loaded>
    </Section>
  )
}

function RevokeDialog(props: { readonly token: TokenView; readonly onClose: () => void }) {
  const { token, onClose } = props
  return (
    <ActionDialog
      title={`Revoke the token ${token.name}`}
      button="Revoke"
      isDangerous
      onClose={onClose}
      act={(call) => call(revokeToken, { params: { tokenId: token.id } })}
      changes={[listTokens]}
    >
      <Text>
        It ends at once: {describeRoles(token)} of {describeScope(token)}
        {token.lastUsedAt === null ? (
          ', never used.'
        ) : (
          <>
            , last used <Instant at={token.lastUsedAt} />.
          </>
        )}
      </Text>
    </ActionDialog>
  )
}
