/** How an update ends, in the words of the server and of a device. */
export const updateEnds = ['committed', 'rolled_back', 'failed', 'timed_out', 'superseded'] as const
export type UpdateEnd = (typeof updateEnds)[number]

export function isEnd(state: string): state is UpdateEnd {
  return (updateEnds as readonly string[]).includes(state)
}

/** Whether the device itself reported that the release did not stay. */
export function isToldFailure<U extends { readonly state: string }>(
  update: U,
): update is U & { readonly state: 'rolled_back' | 'failed' } {
  return update.state === 'rolled_back' || update.state === 'failed'
}
