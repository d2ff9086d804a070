/**
 * Who may connect to the embedded PostgreSQL: the account of the server, and the one that
 * PostgreSQL runs as, as the kernel names the peer of the socket. The folder of the socket keeps
 * all others out already; this holds where somebody has opened it.
 */

/** The content of `pg_hba.conf` and `pg_ident.conf`. */
export function formatAccess(
  passwd: string,
  ...uids: readonly number[]
): { rules: string; accounts: string } {
  const named = uids.map((uid) => findName(passwd, uid))
  // PostgreSQL finds no peer without a name, as in a container that runs under any number: there
  // the folder of the socket alone decides.
  const isNamed = named[0] !== undefined
  const names = [...new Set(named)].filter((name) => name !== undefined)
  return {
    rules: isNamed ? 'local all seaworthy peer map=server\n' : 'local all seaworthy trust\n',
    accounts: names.map((name) => `server "${name}" seaworthy\n`).join(''),
  }
}

const nameForm = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}\$?$/

function findName(passwd: string, uid: number): string | undefined {
  for (const line of passwd.split('\n')) {
    const [name = '', , number] = line.split(':')
    if (number === String(uid) && nameForm.test(name)) return name
  }
  return undefined
}
