/** What the system's error codes mean, in words for people. */

const meanings: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EADDRINUSE: 'another program listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  EAI_AGAIN: 'the name could not be looked up',
  EBUSY: 'is in use',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the other side cut the connection',
  EDQUOT: 'the quota is used up',
  EEXIST: 'exists already',
  EHOSTUNREACH: 'there is no route to that host',
  EISDIR: 'is a folder',
  ELOOP: 'the links lead in a circle',
  EMFILE: 'too many files are open',
  ENAMETOOLONG: 'the name is too long',
  ENETUNREACH: 'there is no route to that network',
  ENODEV: 'cannot be kept on this kind of file system',
  ENOENT: 'no such file or folder',
  ENOSPC: 'no space left on the device',
  ENOTDIR: 'is not a folder',
  ENOTEMPTY: 'the folder is not empty',
  ENOTFOUND: 'there is no host of that name',
  EPERM: 'not permitted',
  EPIPE: 'the other side cut the connection',
  EROFS: 'the file system is read-only',
  ETIMEDOUT: 'no answer came in time',
  EXDEV: 'is on another file system',
}

/** The system's code that the error or one of its causes carries. */
export function findSystemCode(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if ('code' in at && typeof at.code === 'string' && /^E[A-Z0-9_]{2,30}$/.test(at.code)) {
      return at.code
    }
  }
  return undefined
}

/** `no such file or folder (ENOENT)`, or `undefined` when the error is not the system's. */
export function describeSystemError(error: unknown): string | undefined {
  const code = findSystemCode(error)
  if (code === undefined) return undefined
  const meaning = meanings[code]
  return meaning === undefined ? code : `${meaning} (${code})`
}
