/** An instant as a distance from now; the exact instant in the reader’s zone is its title. */
import { usePorts } from '../ports.ts'
import { formatDistance, formatExact } from '../times.ts'

export function Instant({ at }: { readonly at: string }) {
  const { clock } = usePorts()
  const date = new Date(at)
  return (
    <time dateTime={at} title={formatExact(date)}>
      {formatDistance(date, clock.now())}
    </time>
  )
}
