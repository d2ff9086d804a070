/** One’s own account: who one is, passkeys, recovery codes, sessions. */
import { Alert, Anchor, Badge, Group, Paper, Stack, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useSession } from '../session.ts'
import { describeScope } from '../role-words.ts'
import { Page } from '../ui/page.tsx'
import { IdentitySection } from './account-identities.tsx'
import { AccountKeySection } from './account-keys.tsx'
import { PasskeySection } from './account-passkeys.tsx'
import { PasswordSection } from './account-password.tsx'
import { RecoveryCodeSection } from './account-recovery-codes.tsx'
import { SessionSection } from './account-sessions.tsx'

export function AccountPage() {
  const session = useSession()
  // The shell shows pages only to those who have signed in.
  if (session.data === undefined || session.data === null) return null
  const { person, recoveryCodesLeft, session: here } = session.data
  const isByProvider = here.factor === 'provider'
  return (
    <Page
      title="Your account"
      action={
        <Anchor underline="always" renderRoot={(props: object) => <Link to="/pair" {...props} />}>
          Pair a command line
        </Anchor>
      }
    >
      <Paper withBorder p="md">
        <Group justify="space-between">
          <Stack gap={0}>
            <Text fw={600}>{person.name}</Text>
            {person.email !== null && <Text size="sm">{person.email}</Text>}
          </Stack>
          <Group gap="xs">
            <Badge>{person.role}</Badge>
            <Text size="sm">{describeScope(person)}</Text>
          </Group>
        </Group>
      </Paper>
      {isByProvider ? (
        <Alert color="gray" title="You signed in with an identity provider">
          To change passkeys, passwords and recovery codes, sign in with one of them. If you have
          none, and need more than an identity provider allows, ask an owner for a new link.
        </Alert>
      ) : (
        <>
          <PasskeySection />
          <PasswordSection self={session.data} />
        </>
      )}
      <IdentitySection />
      {!isByProvider && <RecoveryCodeSection codesLeft={recoveryCodesLeft} />}
      <AccountKeySection />
      <SessionSection personId={person.id} />
    </Page>
  )
}
