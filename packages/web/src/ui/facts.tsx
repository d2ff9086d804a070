/** Facts about one thing: names and values, in two columns or below one another. */
import { Paper } from '@mantine/core'
import type { ReactNode } from 'react'
import classes from './facts.module.css'

/** A fact whose value is `undefined` is left out. */
export type Fact = readonly [name: string, value: ReactNode]

export function Facts({ facts }: { readonly facts: readonly Fact[] }) {
  return (
    <Paper withBorder component="dl" className={classes['facts']}>
      {facts
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => (
          <div key={name} className={classes['fact']}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </Paper>
  )
}
