/** Recovery codes: how many are left, and a new list, which is shown once. */
import { Button, Paper, Text } from '@mantine/core'
import { createRecoveryCodes } from '@seaworthy/api/passkeys'
import { useState } from 'react'
import { useRefreshSession } from '../session.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { Section } from '../ui/page.tsx'
import { SecretOnce } from '../ui/secret-once.tsx'

export function RecoveryCodeSection({ codesLeft }: { readonly codesLeft: number }) {
  const refreshSession = useRefreshSession()
  const [isAsking, setIsAsking] = useState(false)
  const [codes, setCodes] = useState<readonly string[]>()
  return (
    <Section
      title="Recovery codes"
      about="Each lets you register a new passkey once, when all of yours are lost."
      action={
        <Button variant="default" onClick={() => setIsAsking(true)}>
          Make new codes
        </Button>
      }
    >
      <Paper withBorder p="md">
        <Text>
          {codesLeft === 0
            ? 'You have no recovery code. Make ten, print them, and keep them where nobody else can get them.'
            : `${codesLeft} of your recovery codes ${codesLeft === 1 ? 'is' : 'are'} unused.`}
        </Text>
      </Paper>
      {isAsking && (
        <ActionDialog
          title="Make new recovery codes"
          button="Make ten codes"
          onClose={() => setIsAsking(false)}
          act={async (call) => {
            const made = await call(createRecoveryCodes, {})
            setCodes(made.codes)
            await refreshSession()
          }}
        >
          <Text>
            {codesLeft === 0
              ? 'You get ten codes, shown once.'
              : 'You get ten codes, shown once. The codes that you have stop working at once.'}
          </Text>
        </ActionDialog>
      )}
      {codes !== undefined && !isAsking && (
        <SecretOnce
          title="Your recovery codes"
          about="Print them or write them down now: they are not shown again. Whoever has one of them can come in as you."
          secret={codes.join('\n')}
          onClose={() => setCodes(undefined)}
        />
      )}
    </Section>
  )
}
