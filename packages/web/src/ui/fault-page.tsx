/** A page that failed, with what the person can do about it. */
import { EntryPage } from './page.tsx'
import { ErrorState } from './states.tsx'

export function FaultPage({
  error,
  reset,
}: {
  readonly error: unknown
  readonly reset: () => void
}) {
  return (
    <EntryPage title="Something went wrong">
      <ErrorState error={error} onRetry={reset} />
    </EntryPage>
  )
}
