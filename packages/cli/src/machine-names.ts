/** What a machine is called where a person decides about it. */

/** A name that the server shows to the person: characters that it does not take become `-`. */
export function nameMachine(hostname: string): string {
  const name = hostname.replaceAll(/[^A-Za-z0-9._-]/g, '-').replace(/^[._-]+/, '')
  return name.slice(0, 63) || 'unnamed'
}
