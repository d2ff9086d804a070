/**
 * What changes on a device from one release to the next, in the words of its readers: signers, on
 * their own machines, and people who look at a server. Promises: the lines are computed from the
 * trees alone, are harmless on a terminal, and begin with what deserves a second look. Not handled
 * here: whether the trees are what the content is; whoever reads them says how they know.
 */
export type { LeftOut } from './tree-changes.ts'
export { compareTrees, describeChanges, nothingLeftOut } from './tree-changes.ts'
export type { ComparedTree, PlatformTree } from './platform-trees.ts'
