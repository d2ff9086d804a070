/** How an update ends, in the words of the server and of a device. */
export const updateEnds = ['committed', 'rolled_back', 'failed', 'timed_out', 'superseded'] as const
export type UpdateEnd = (typeof updateEnds)[number]

export function isEnd(state: string): state is UpdateEnd {
  return (updateEnds as readonly string[]).includes(state)
}

/** What a device that has failed says of its last update: the release did not stay. */
export const failedStates = ['rolled_back', 'failed'] as const

/** Whether the device itself reported that the release did not stay. */
export function isToldFailure<U extends { readonly state: string }>(
  update: U,
): update is U & { readonly state: (typeof failedStates)[number] } {
  return failedStates.some((state) => state === update.state)
}
