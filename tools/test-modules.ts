/**
 * Where modules are, told from one test file to the next. Loaded in front of each (`--import`). A
 * test of the server imports 850 modules, and Node takes as long to find them, package by package,
 * as for all else that it does before the first test. No module moves while a run lasts.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'

/** Address and format by specifier and, unless it names one of our packages, by importer. */
type Places = Map<string, readonly [url: string, format: string | null | undefined]>

/** Fewer than this are the own ones of a single test file. */
const newsMin = 50

function readPlaces(file: string): Places {
  try {
    return new Map(JSON.parse(readFileSync(file, 'utf8')) as [string, [string, string]][])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    throw error
  }
}

function rememberPlaces(file: string): void {
  const places = readPlaces(file)
  const news: Places = new Map()
  registerHooks({
    resolve(specifier, context, next) {
      const { parentURL, conditions } = context
      if (
        parentURL === undefined ||
        specifier.startsWith('node:') ||
        conditions.includes('require')
      )
        return next(specifier, context)
      const key = specifier.startsWith('@seaworthy/') ? specifier : `${parentURL} ${specifier}`
      const known = places.get(key)
      if (known !== undefined) return { url: known[0], format: known[1], shortCircuit: true }
      const found = next(specifier, context)
      if (found.url.startsWith('file:')) {
        places.set(key, [found.url, found.format])
        news.set(key, [found.url, found.format])
      }
      return found
    },
  })
  process.on('exit', () => {
    if (news.size < newsMin) return
    // What another process adds at the same moment is lost, and found again by a later one.
    const own = `${file}.${process.pid}`
    writeFileSync(own, JSON.stringify([...readPlaces(file), ...news]))
    renameSync(own, file)
  })
}

const shared = process.env['SEAWORTHY_TEST_SHARED']
if (shared !== undefined) rememberPlaces(join(shared, 'places.json'))
