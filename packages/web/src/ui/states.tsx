/** What a part of a page shows in place of content: loading, empty, failed, not permitted. */
import { Button, Loader, Paper, Stack, Text, Title } from '@mantine/core'
import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { explain } from '../explanations.ts'
import classes from './states.module.css'

function State(props: {
  readonly title: string
  readonly children: ReactNode
  readonly action?: ReactNode
  readonly role?: 'alert' | 'status'
}) {
  return (
    <Paper withBorder className={classes['state']} role={props.role}>
      <Stack align="center" gap="xs">
        <Title order={3} size="h4">
          {props.title}
        </Title>
        <Text ta="center" className={classes['text']}>
          {props.children}
        </Text>
        {props.action}
      </Stack>
    </Paper>
  )
}

export function LoadingState({ what }: { readonly what: string }) {
  return (
    <div className={classes['loading']} role="status">
      <Loader size="sm" aria-hidden="true" />
      <span>Loading {what}…</span>
    </div>
  )
}

export function EmptyState(props: {
  readonly title: string
  readonly children: ReactNode
  readonly action?: ReactNode
}) {
  return <State {...props} />
}

export function NoPermissionState({ sentence }: { readonly sentence: string }) {
  return (
    <State title="Your role does not allow this">
      {sentence} An owner or admin can give you a role that does.
    </State>
  )
}

export function ErrorState(props: { readonly error: unknown; readonly onRetry?: () => void }) {
  const { kind, title, sentence } = explain(props.error)
  if (kind === 'not_permitted') return <NoPermissionState sentence={sentence} />
  const action =
    props.onRetry === undefined ? undefined : (
      <Button variant="default" onClick={props.onRetry}>
        Try again
      </Button>
    )
  return (
    <State title={title} role="alert" action={action}>
      {sentence}
    </State>
  )
}

/**
 * Content of a query in whichever state it is. A refresh that fails shows itself above what was
 * there, and takes nothing away.
 */
export function Loaded<T>(props: {
  readonly query: UseQueryResult<T>
  readonly what: string
  readonly children: (content: T) => ReactNode
}) {
  const { query, what, children } = props
  const retry = () => void query.refetch()
  if (query.data === undefined) {
    return query.error === null ? (
      <LoadingState what={what} />
    ) : (
      <ErrorState error={query.error} onRetry={retry} />
    )
  }
  return (
    <Stack>
      {query.error !== null && (
        <Paper withBorder p="sm" role="status">
          <Text size="sm">
            This may be out of date: {what} could not be loaded again.{' '}
            {explain(query.error).sentence}
          </Text>
        </Paper>
      )}
      {children(query.data)}
    </Stack>
  )
}
