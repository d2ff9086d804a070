/** Reads the settings file of `--config` from the disk. */
import { closeSync, openSync, readSync } from 'node:fs'
import { describeSystemError } from '@seaworthy/std/system-errors'
import { settingsBytesMax, UsageError } from './settings.ts'

/** Throws `UsageError` where the file cannot be read or is longer than settings are. */
export function readSettingsFile(file: string): Uint8Array {
  const bytes = new Uint8Array(settingsBytesMax + 1)
  let length = 0
  try {
    const descriptor = openSync(file, 'r')
    try {
      for (;;) {
        const got = readSync(descriptor, bytes, length, bytes.length - length, null)
        if (got === 0) break
        length += got
      }
    } finally {
      closeSync(descriptor)
    }
  } catch (cause) {
    const why = describeSystemError(cause)
    if (why === undefined) throw cause
    throw new UsageError(`--config ${file} cannot be read: ${why}`, { cause })
  }
  if (length <= settingsBytesMax) return bytes.subarray(0, length)
  throw new UsageError(`--config ${file} is longer than ${settingsBytesMax} bytes`)
}
