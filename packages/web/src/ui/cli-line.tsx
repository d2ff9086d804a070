/** The command that does the same as the page, to be copied. */
import { Button, CopyButton } from '@mantine/core'
import classes from './cli-line.module.css'

export function CliLine({ line }: { readonly line: string }) {
  return (
    <div className={classes['line']}>
      <span className={classes['label']}>On the command line</span>
      <code className={classes['code']} tabIndex={0} role="region" aria-label="Command">
        {line}
      </code>
      <CopyButton value={line}>
        {({ copied, copy }) => (
          <Button
            variant="subtle"
            size="compact-sm"
            onClick={copy}
            aria-label={`Copy the command: ${line}`}
          >
            {copied ? 'Copied' : 'Copy'}
          </Button>
        )}
      </CopyButton>
    </div>
  )
}
