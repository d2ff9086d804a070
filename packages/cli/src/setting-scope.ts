/** The scope of a variable or secret: `--fleet` or `--device`, one of them. */
import type { Command } from 'commander'
import { showDevice } from '@seaworthy/api/devices'
import { settingName } from '@seaworthy/api/fields'
import { quoted } from '@seaworthy/std/printable'
import { CliError, doNotTrust } from './failure.ts'
import { requireDeviceId } from './find-device.ts'
import type { Connection } from './connection.ts'

export interface SettingOptions {
  fleet?: string
  device?: string
}

export function addScopeOptions(command: Command): Command {
  return command
    .option('--fleet <name>', 'for all devices of this fleet')
    .option('--device <device-id>', 'for this device, before what its fleet has')
}

/** Throws a usage error, before anything is done, unless `name` can be that of a setting. */
export function requireSettingName(what: 'secret' | 'variable', name: string): void {
  if (settingName.safeParse(name).success) return
  throw new CliError('usage', `${quoted(name)} cannot be the name of a ${what}`, {
    wayOut: 'Take A-Z, 0-9 and _, beginning with a letter, at most 64 characters.',
  })
}

export interface SettingTarget {
  readonly fleet: string
  readonly deviceId: string | undefined
  /** The same as routes take it. */
  readonly ofDevice: { deviceId?: string }
}

export async function findScope(
  { client }: Pick<Connection, 'client'>,
  { fleet, device }: SettingOptions,
): Promise<SettingTarget> {
  if ((fleet === undefined) === (device === undefined)) {
    throw new CliError('usage', 'give either --fleet or --device', {
      wayOut: 'See `seaworthy fleet list` and `seaworthy device list`.',
    })
  }
  if (device === undefined) return { fleet: fleet!, deviceId: undefined, ofDevice: {} }
  const view = await client.call(showDevice, { params: { deviceId: requireDeviceId(device) } })
  if (view.id !== device) {
    throw new CliError('refused', `${device} was asked for, and the server shows ${view.id}`, {
      wayOut: doNotTrust,
    })
  }
  return { fleet: view.fleet, deviceId: device, ofDevice: { deviceId: device } }
}
