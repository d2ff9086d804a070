/** Lines as signers read them on their own machines: what deserves a second look stands first. */
import { Paper, Text } from '@mantine/core'
import type { ChangesView } from '@seaworthy/api/release-contents'
import classes from './change-lines.module.css'

const isAlert = (line: string) => line.trimStart().startsWith('!')

export function ChangeLines(props: {
  /** What changes, for those who cannot see it. */
  readonly caption: string
  readonly lines: readonly string[]
}) {
  const { caption, lines } = props
  return (
    <Paper withBorder>
      <pre className={classes['lines']} tabIndex={0} role="region" aria-label={caption}>
        {lines.map((line, index) => (
          // oxlint-disable-next-line react/no-array-index-key -- lines have no other name
          <span key={index} className={isAlert(line) ? classes['alert'] : undefined}>
            {line}
            {'\n'}
          </span>
        ))}
      </pre>
    </Paper>
  )
}

/** What changes on a device, with what could not be compared and what is left out. */
export function ContentChanges(props: { readonly caption: string; readonly changes: ChangesView }) {
  const { caption, changes } = props
  const { lines, leftOutCount, unchecked } = changes
  return (
    <>
      {unchecked.length > 0 && (
        <Text size="sm" role="note">
          Not compared by this server: {unchecked.join('; ')}.
        </Text>
      )}
      {lines.length > 0 && <ChangeLines caption={caption} lines={lines} />}
      {leftOutCount > 0 && (
        <Text size="sm" c="dimmed">
          {leftOutCount.toLocaleString()} more {leftOutCount === 1 ? 'line' : 'lines'} are shown by
          the command line, with --all.
        </Text>
      )}
    </>
  )
}
