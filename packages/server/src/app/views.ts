/** Times, facts and pages in the API's form. */
import type { WhyView } from '@seaworthy/api/rollouts'
import type { Values } from '@seaworthy/fleet/rollouts'
import { formatInstant } from '@seaworthy/std/time'

export function instantOrNull(at: Date | null): string | null {
  return at === null ? null : formatInstant(at)
}

export function viewValues(values: Values): WhyView['values'] {
  const view = (value: Values[string]) => (value instanceof Date ? formatInstant(value) : value)
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, view(value)]))
}
