/**
 * Starts the command line with a cache of what Node makes of its modules, which is several times as
 * fast. What stands in that folder is run, so it belongs to the caller alone: it is below
 * `XDG_CACHE_HOME` or `HOME/.cache`, and is not used where somebody else could write to it or
 * replace it. It is JavaScript because it runs before there is a cache.
 */
import { lstatSync, mkdirSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { isAbsolute, join } from 'node:path'

const { HOME: home = '', XDG_CACHE_HOME: base = join(home, '.cache') } = process.env
const own = join(base, 'seaworthy')
const folder = join(own, 'compiled')

function make(path) {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
}

function isOwn(path) {
  const facts = lstatSync(path)
  return facts.isDirectory() && facts.uid === process.geteuid() && (facts.mode & 0o022) === 0
}

function canKeep() {
  if (!isAbsolute(base)) return false
  try {
    const folders = [base, own, folder]
    folders.forEach(make)
    return folders.every(isOwn)
  } catch {
    // Without a cache everything works, slower.
    return false
  }
}

if (canKeep()) enableCompileCache(folder)
await import('../src/main.ts')
