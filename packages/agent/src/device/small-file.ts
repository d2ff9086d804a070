/** Small files, read at once before there is a `Disk`. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

/**
 * The whole of a regular file. Throws an error of the system, also for a file of another kind or
 * one that is longer: a pipe holds nobody up, and a huge file takes no memory.
 */
export function readSmallFile(path: string, bytesMax: number): Buffer {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const facts = fstatSync(file)
    if (facts.isDirectory()) throw systemError('EISDIR', `${path} is a folder`)
    if (!facts.isFile()) throw systemError('EINVAL', `${path} is not a regular file`)
    const bytes = Buffer.alloc(bytesMax + 1)
    let length = 0
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(file, bytes, length, bytes.length - length, null)
    }
    if (length > bytesMax) throw systemError('EFBIG', `${path} is longer than ${bytesMax} bytes`)
    return bytes.subarray(0, length)
  } finally {
    closeSync(file)
  }
}

function systemError(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code })
}
