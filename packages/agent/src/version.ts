export const agentVersion = '0.1.0'

/** When this agent was written: no clock that is behind this is believed. */
export const builtAt = new Date(Date.UTC(2026, 0, 1))
