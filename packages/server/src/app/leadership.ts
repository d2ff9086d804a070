/** The session lock of whichever worker, on whichever host, runs the background tasks. */
export const leaderLockKey = 7_403_010
