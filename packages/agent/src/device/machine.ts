/**
 * What the machine is, for people who look for devices: read without rights and within bounds, and
 * believed by nobody who decides something.
 */
import { statfsSync } from 'node:fs'
import { arch, release, uptime } from 'node:os'
import type { DeviceReport } from '@seaworthy/api/device-self'
import { utf8Decode } from '@seaworthy/std/bytes'
import { formatInstant } from '@seaworthy/std/time'
import { nameOfSystem, oneLine, roundedBytes } from './machine-words.ts'
import { readSmallFile } from './small-file.ts'

export type MachineFacts = NonNullable<DeviceReport['machine']>

const osReleasePaths = ['/etc/os-release', '/usr/lib/os-release']
const modelPaths = ['/sys/firmware/devicetree/base/model', '/sys/class/dmi/id/product_name']
const fileBytesMax = 16 * 1024

export function readMachine(stateDir: string, now: Date): MachineFacts {
  const os = nameOfSystem(firstText(osReleasePaths))
  const model = oneLine(firstText(modelPaths))
  const freeBytes = freeBytesIn(stateDir)
  return {
    node: process.version,
    ...(os === undefined ? {} : { os }),
    kernel: oneLine(release()) ?? 'unknown',
    architecture: arch(),
    ...(model === undefined ? {} : { model }),
    // A minute's precision: the same boot is not told anew for every second.
    bootedAt: formatInstant(toMinute(new Date(now.getTime() - uptime() * 1000))),
    ...(freeBytes === undefined ? {} : { freeBytes }),
  }
}

function freeBytesIn(folder: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return roundedBytes(bavail * bsize)
  } catch {
    return undefined
  }
}

function toMinute(instant: Date): Date {
  return new Date(Math.floor(instant.getTime() / 60_000) * 60_000)
}

function firstText(paths: readonly string[]): string | undefined {
  for (const path of paths) {
    try {
      return utf8Decode(readSmallFile(path, fileBytesMax))
    } catch {
      // The machine has no such file, or one that cannot be used.
    }
  }
  return undefined
}
