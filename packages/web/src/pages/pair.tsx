/**
 * A person lets a command line have a token, or refuses. No link brings a code here: it is typed by
 * whoever sees it on the machine that asks.
 */
import { Alert, Button, Group, NativeSelect, Paper, Stack, Text, TextInput } from '@mantine/core'
import { approvePairing, readPairing, refusePairing } from '@seaworthy/api/pairings'
import type { PairingView } from '@seaworthy/api/pairings'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { usePorts } from '../ports.ts'
import { describeRole, describeScope } from '../role-words.ts'
import { formatSeconds } from '../times.ts'
import { ErrorAlert } from '../ui/explained.tsx'
import { Instant } from '../ui/instant.tsx'
import { Page } from '../ui/page.tsx'
import { useConfirmedCall } from '../ui/step-up.tsx'
import { normalizeUserCode } from '../user-codes.ts'

interface Found {
  readonly view: PairingView
  readonly userCode: string
}

export function PairPage() {
  const [found, setFound] = useState<Found>()
  const [outcome, setOutcome] = useState<string>()
  return (
    <Page
      title="Pair a command line"
      about="For the code that “seaworthy login” shows on a machine in front of you."
    >
      <Alert color="red" variant="light" role="note" title="Only for what you began yourself">
        Nobody who runs this server will ever send you a code. If somebody sent this code or read it
        out to you, they want to work under your name: do not type it.
      </Alert>
      {outcome !== undefined ? (
        <Stack>
          <Text role="status">{outcome}</Text>
          <Group>
            <Button variant="default" onClick={() => setOutcome(undefined)}>
              Pair another one
            </Button>
          </Group>
        </Stack>
      ) : found === undefined ? (
        <CodeForm onFound={setFound} />
      ) : (
        <Decision
          {...found}
          onEnd={(text) => {
            setFound(undefined)
            setOutcome(text)
          }}
        />
      )}
    </Page>
  )
}

function CodeForm({ onFound }: { readonly onFound: (found: Found) => void }) {
  const { client } = usePorts()
  const [text, setText] = useState('')
  const userCode = normalizeUserCode(text)
  const read = useMutation({
    mutationFn: async (code: string) => ({
      view: await client.call(readPairing, { body: { userCode: code } }),
      userCode: code,
    }),
    onSuccess: onFound,
  })
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (userCode !== undefined) read.mutate(userCode)
      }}
    >
      <Stack maw={420}>
        <TextInput
          label="Code"
          description="Eight letters; spaces and capitals do not matter."
          name="code"
          autoComplete="off"
          spellCheck={false}
          maxLength={20}
          required
          value={text}
          error={
            userCode === undefined && text.length >= 9
              ? 'A code has eight letters and no vowels, such as BCDF-GHJK.'
              : null
          }
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <ErrorAlert error={read.error} />
        <Group>
          <Button type="submit" loading={read.isPending} disabled={userCode === undefined}>
            See who asks
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

function Decision({
  view,
  userCode,
  onEnd,
}: Found & { readonly onEnd: (outcome: string) => void }) {
  const call = useConfirmedCall()
  const [role, setRole] = useState(view.role ?? view.roles[0] ?? 'viewer')
  const decided = { pairingId: view.id, userCode }
  const approve = useMutation({
    mutationFn: () => call(approvePairing, { body: { ...decided, role } }),
    onSuccess: () => onEnd(`${view.machine} gets its token as ${role}. You may close this page.`),
  })
  const refuse = useMutation({
    mutationFn: () => call(refusePairing, { body: decided }),
    onSuccess: () => onEnd(`${view.machine} was refused and gets no token.`),
  })
  const isGivable = view.roles.includes(role)
  return (
    <Paper withBorder p="md" component="section" aria-label="Who asks">
      <Stack>
        <Facts
          facts={[
            ['Code', userCode],
            ['Machine, as it calls itself', view.machine],
            ['Address it asks from', view.address],
            ['Asked', <Instant key="asked" at={view.createdAt} />],
            ['Would reach', describeScope(view)],
            ['For', formatSeconds(view.lifetimeSeconds)],
          ]}
        />
        <NativeSelect
          label="Role"
          description={
            view.role === null
              ? `Choose the least that will do. This role: ${describeRole(role)}.`
              : `It asks to be ${view.role}: ${describeRole(view.role)}.`
          }
          name="role"
          value={role}
          data={[...new Set([...(view.role === null ? [] : [view.role]), ...view.roles])]}
          onChange={(event) => {
            const chosen = view.roles.find((name) => name === event.currentTarget.value)
            if (chosen !== undefined) setRole(chosen)
          }}
        />
        {!isGivable && (
          <Text size="sm">Your own role does not reach as far: choose another one, or refuse.</Text>
        )}
        <Text size="sm">
          Go on only if you see this code and this machine in front of you now. What it does with
          the token is recorded as done by a token of yours; the token ends when you may do less.
        </Text>
        <ErrorAlert error={approve.error ?? refuse.error} />
        <Group justify="flex-end">
          <Button
            variant="default"
            onClick={() => refuse.mutate()}
            loading={refuse.isPending}
            disabled={approve.isPending}
          >
            Refuse
          </Button>
          <Button
            onClick={() => approve.mutate()}
            loading={approve.isPending}
            disabled={!isGivable || refuse.isPending}
          >
            Pair it
          </Button>
        </Group>
      </Stack>
    </Paper>
  )
}

function Facts({ facts }: { readonly facts: readonly (readonly [string, React.ReactNode])[] }) {
  return (
    <Stack component="dl" gap="xs" m={0}>
      {facts.map(([name, value]) => (
        <div key={name}>
          <Text component="dt" size="sm" c="dimmed">
            {name}
          </Text>
          <Text component="dd" m={0} fw={600}>
            {value}
          </Text>
        </div>
      ))}
    </Stack>
  )
}
