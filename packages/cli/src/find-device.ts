/** A device as people name it: by its id, or by a name that only one device has. */
import { listDevices } from '@seaworthy/api/devices'
import { idField } from '@seaworthy/api/fields'
import { quoted } from '@seaworthy/std/printable'
import { CliError } from './failure.ts'
import type { Connection } from './connection.ts'

const deviceId = idField('device')

/** Whether the text has the form of an id: a name like that would be taken for the id. */
export function isDeviceId(text: string): boolean {
  return deviceId.safeParse(text).success
}

/**
 * The id that was given, where only an id counts. Throws `CliError` for a name, which the device
 * chose.
 */
export function requireDeviceId(given: string): string {
  if (isDeviceId(given)) return given
  throw new CliError('usage', `${quoted(given)} is not the id of a device`, {
    wayOut:
      'A device chooses its name, so this command takes only the id: `seaworthy device list --text NAME` shows it.',
  })
}

/** How many devices of one name an error lists. */
const candidatesMax = 10

/**
 * The id of the device that is meant. A device says its name itself, so where a name decides about
 * secrets or keys, the command takes only ids. Throws `CliError` where no device or more than one
 * has the name.
 */
export async function findDeviceId(
  { client }: Pick<Connection, 'client'>,
  given: string,
): Promise<string> {
  if (isDeviceId(given)) return given
  const query = { name: given, limit: candidatesMax + 1 }
  const { items } = await client.call(listDevices, { query })
  const [found, ...others] = items.filter(({ name }) => name === given)
  if (found === undefined) {
    throw new CliError('notFound', `there is no device with the id or name ${given}`, {
      wayOut: 'See `seaworthy device list --text` for what is called something like it.',
    })
  }
  if (others.length === 0) return found.id
  const shown = [found, ...others].slice(0, candidatesMax)
  const more = others.length >= candidatesMax ? ', and more' : ''
  throw new CliError(
    'usage',
    `more than one device has the name ${given}: ${shown.map(({ id, fleet }) => `${id} in ${fleet}`).join(', ')}${more}`,
    { wayOut: 'Give the id of the one that you mean.' },
  )
}
