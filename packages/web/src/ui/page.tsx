/** Heading and content of a page in the shell, and the narrow page for those outside of it. */
import { Paper, Stack, Text, Title } from '@mantine/core'
import type { ReactNode } from 'react'
import { useEffect } from 'react'
import { ColorSchemeButton } from './color-scheme.tsx'
import { Icon } from './icons.tsx'
import classes from './page.module.css'

function useDocumentTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} – Seaworthy`
  }, [title])
}

export function Page(props: {
  readonly title: string
  readonly about?: string
  readonly action?: ReactNode
  readonly children: ReactNode
}) {
  const { title, about, action, children } = props
  useDocumentTitle(title)
  return (
    <Stack gap="lg">
      <div className={classes['head']}>
        <div>
          <Title order={1} size="h2">
            {title}
          </Title>
          {about !== undefined && <Text c="dimmed">{about}</Text>}
        </div>
        {action}
      </div>
      {children}
    </Stack>
  )
}

/** A part of a page with a heading of its own. */
export function Section(props: {
  readonly title: string
  readonly about?: string
  readonly action?: ReactNode
  readonly children: ReactNode
}) {
  const { title, about, action, children } = props
  return (
    <Stack component="section" gap="sm" aria-label={title}>
      <div className={classes['head']}>
        <div>
          <Title order={2} size="h4">
            {title}
          </Title>
          {about !== undefined && (
            <Text size="sm" c="dimmed">
              {about}
            </Text>
          )}
        </div>
        {action}
      </div>
      {children}
    </Stack>
  )
}

/** The page of one thing to do before anybody is signed in. */
export function EntryPage(props: { readonly title: string; readonly children: ReactNode }) {
  const { title, children } = props
  useDocumentTitle(title)
  return (
    <div className={classes['entry']}>
      <header className={classes['bar']}>
        <span className={classes['brand']}>
          <Icon name="brand" />
          Seaworthy
        </span>
        <ColorSchemeButton />
      </header>
      <main className={classes['middle']}>
        <Paper withBorder shadow="sm" radius="md" className={classes['card']}>
          <Stack>
            <Title order={1} size="h2">
              {title}
            </Title>
            {children}
          </Stack>
        </Paper>
      </main>
    </div>
  )
}
