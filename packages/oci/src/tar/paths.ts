/** Which paths and which targets of links may stand in a tree. */
import { compareBytes } from '@seaworthy/std/bytes'

export const pathBytesMax = 4096
const nameBytesMax = 255
const depthMax = 128

/**
 * What is wrong with a path, or `undefined`. Paths are relative, without `.`, `..`, empty parts
 * and control characters.
 */
export function findPathFault(path: string): 'path_unsafe' | 'path_too_long' | undefined {
  if (path === '' || path.startsWith('/') || !path.isWellFormed()) return 'path_unsafe'
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'path_unsafe'
  if (Buffer.byteLength(path) > pathBytesMax) return 'path_too_long'
  const names = path.split('/')
  if (names.length > depthMax) return 'path_too_long'
  for (const name of names) {
    if (name === '' || name === '.' || name === '..') return 'path_unsafe'
    if (Buffer.byteLength(name) > nameBytesMax) return 'path_too_long'
  }
  return undefined
}

/**
 * One spelling for all paths that some file system takes for the same, because it ignores case, how
 * Unicode composes a letter, or characters that cannot be seen.
 */
export function foldPath(path: string): string {
  // oxlint-disable-next-line no-control-regex
  if (/^[\u0000-\u007f]*$/.test(path)) return path.toLowerCase()
  const visible = path.normalize('NFD').replaceAll(/\p{Default_Ignorable_Code_Point}/gu, '')
  return visible.toLowerCase().toUpperCase().toLowerCase().normalize('NFD')
}

/**
 * What is wrong with a symbolic link's target in itself, or `undefined`; `readLinks` checks where
 * it leads.
 */
export function findTargetFault(target: string): 'symlink_escapes' | 'path_too_long' | undefined {
  if (target === '' || target.startsWith('/') || !target.isWellFormed()) return 'symlink_escapes'
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(target)) return 'symlink_escapes'
  return Buffer.byteLength(target) > pathBytesMax ? 'path_too_long' : undefined
}

export function comparePaths(a: string, b: string): number {
  return compareBytes(Buffer.from(a), Buffer.from(b))
}
