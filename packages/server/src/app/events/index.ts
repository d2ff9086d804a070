/**
 * What pages hear while they are open: that something changed. Promises: a reader hears of nothing
 * that the lists would not show them; a session or token that ends, or loses a right, ends its
 * stream; a burst of changes is one event a second for each noun; readers are few, and none of them
 * makes a device or a page wait. Not promised: that no event is lost. Whoever connects anew reads
 * everything again.
 */
export { createEventFeed, readersMax } from './feed.ts'
export type { NoteHeard } from './heard-devices.ts'
export { createHeardDevices } from './heard-devices.ts'
