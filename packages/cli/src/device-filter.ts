/** Which devices a command is about: options that become the filter of `/v1/devices`. */
import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import type { DeviceFilter } from '@seaworthy/api/devices'
import { devicePresence, deviceProtocol } from '@seaworthy/api/devices'
import { updateState } from '@seaworthy/api/device-self'
import { formatInstant } from '@seaworthy/std/time'
import { durationBetween, durationOption, wholeNumber } from './options.ts'

export interface DeviceFilterOptions {
  fleet?: string
  product?: string
  name?: string
  tag?: string
  running?: string
  state?: DeviceFilter['state']
  protocol?: DeviceFilter['protocol']
  platform?: string
  agentVersion?: string
  refused?: string
  failed?: boolean
  presence?: DeviceFilter['presence']
  /** Milliseconds. */
  silentFor?: number
  /** Milliseconds. */
  seenWithin?: number
  /** Milliseconds; true for a minute. */
  clockOff?: number | true
  behind?: number
  sharedIdentity?: boolean
  text?: string
}

export function addFilterOptions(command: Command): Command {
  return command
    .option('--fleet <name>', 'of this fleet')
    .option('--product <name>', 'of the fleets of this product')
    .option('--name <beginning>', 'whose name begins so')
    .option('--tag <name=value>', 'with this tag', tagOption)
    .option('--running <version>', 'that run this version')
    .addOption(
      new Option('--state <state>', 'that said this of their update last').choices(
        updateState.options,
      ),
    )
    .addOption(
      new Option('--protocol <protocol>', 'that speak this').choices(deviceProtocol.options),
    )
    .option('--platform <platform>', 'of this platform, such as linux/arm64')
    .option('--agent-version <version>', 'whose agent has this version')
    .option('--refused <code>', 'whose last refusal has this code')
    .option('--failed', 'whose last update failed or was rolled back')
    .addOption(
      new Option(
        '--presence <presence>',
        'online: heard of within 5 polls and 5 minutes; silent: not within 5 polls and a day',
      ).choices(devicePresence.options),
    )
    .option(
      '--silent-for <duration>',
      'not heard of for so long, such as 2d; a device never heard of counts from when it joined',
      durationOption,
    )
    .option('--seen-within <duration>', 'heard of within so long, such as 10m', durationOption)
    .option(
      '--clock-off [duration]',
      'whose clock is off by more than this (default: a minute)',
      durationBetween('1m', '10000d'),
    )
    .option(
      '--behind <count>',
      'that run a release with at least this many newer ones on their channel',
      wholeNumber(1, 10_000),
    )
    .option('--shared-identity', 'whose identity two machines seem to use')
    .option('--text <text>', 'with this in id, name, fleet, platform, hardware or a tag')
}

function tagOption(text: string, before: string | undefined): string {
  if (before !== undefined) throw new InvalidArgumentError('One tag is enough.')
  if (text.indexOf('=') < 1) throw new InvalidArgumentError('Not of the form name=value.')
  return text
}

/** The filter that the options say; empty for all devices. */
export function filterOf(options: DeviceFilterOptions, now: Date): DeviceFilter {
  const before = (ms: number | undefined) =>
    ms === undefined ? undefined : formatInstant(new Date(now.getTime() - ms))
  const filter: DeviceFilter = {
    fleet: options.fleet,
    product: options.product,
    namePrefix: options.name,
    tag: options.tag,
    version: options.running,
    state: options.state,
    protocol: options.protocol,
    platform: options.platform,
    agentVersion: options.agentVersion,
    refusal: options.refused,
    update: options.failed === true ? 'failed' : undefined,
    presence: options.presence,
    seenBefore: before(options.silentFor),
    seenSince: before(options.seenWithin),
    clock: options.clockOff === true ? 'off' : undefined,
    clockOffSeconds:
      typeof options.clockOff === 'number' ? Math.floor(options.clockOff / 1000) : undefined,
    behind: options.behind,
    identity: options.sharedIdentity === true ? 'shared' : undefined,
    q: options.text,
  }
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined))
}
