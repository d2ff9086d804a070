/** What wants a person, each with the page where it is dealt with. */
import { Badge, Paper } from '@mantine/core'
import { useRouter } from '@tanstack/react-router'
import type { Attention } from '../attention.ts'
import classes from './attention-list.module.css'

export function AttentionList({ items }: { readonly items: readonly Attention[] }) {
  const { history } = useRouter()
  return (
    <Paper withBorder component="ul" className={classes['list']} aria-label="Needs attention">
      {items.map(({ text, to, isGrave }) => (
        <li key={`${to} ${text}`} className={classes['item']}>
          <Badge color={isGrave ? 'red' : 'yellow'}>{isGrave ? 'now' : 'soon'}</Badge>
          <a
            href={to}
            className={classes['link']}
            onClick={(event) => {
              if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return
              event.preventDefault()
              history.push(to)
            }}
          >
            {text}
          </a>
        </li>
      ))}
    </Paper>
  )
}
