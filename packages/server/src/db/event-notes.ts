/** The form in which a change travels between workers and replicas, and what it concerns. */
import type { EventNoun } from '@seaworthy/api/events'
import { eventNouns } from '@seaworthy/api/events'

/** One change; `null` for its noun where it may have changed what readers may see. */
export interface Note {
  readonly noun: EventNoun | null
  readonly id: string
}

/** Nouns of actions that are told under another name. */
const toldAs: Readonly<Record<string, EventNoun>> = {
  devices: 'device',
  'foreign-device': 'device',
  'approval-policy': 'approval',
  metadata: 'release',
}

/** What an entry of the audit log changed: nothing where it was refused. */
export function noteOf(entry: {
  readonly action: string
  readonly subject: string
  readonly outcome: string
}): Note | undefined {
  const { action, subject, outcome } = entry
  if (outcome !== 'done') return undefined
  const [first = ''] = action.split('.')
  return { noun: asNoun(toldAs[first] ?? first), id: subject }
}

export function formatNote({ noun, id }: Note): string {
  return `${noun ?? ''} ${id}`
}

/** Reads a note of any version of the server. What is not known counts as a change of rights. */
export function parseNote(text: string): Note {
  const [noun = '', ...id] = text.split(' ')
  return { noun: asNoun(noun), id: id.join(' ') }
}

function asNoun(text: string): EventNoun | null {
  return eventNouns.find((noun) => noun === text) ?? null
}
