/**
 * An Omaha v3 request, read from XML that a client sent: bounded, and with only those attributes
 * that matter here.
 */
import type { OmahaEvent } from '@seaworthy/fleet/protocols'
import type { XmlElement } from './xml.ts'
import { parseXml, XmlError } from './xml.ts'

export interface OmahaApp {
  /** The app id as the client spells it. */
  readonly appId: string
  readonly version: string
  /** Empty when the client sends none. */
  readonly machineId: string
  readonly bootId: string | null
  readonly hasPing: boolean
  readonly isCheck: boolean
  /** The events in the order of the document. */
  readonly events: readonly OmahaEvent[]
}

export interface OmahaRequest {
  readonly protocol: string
  readonly apps: readonly OmahaApp[]
}

const appsMax = 20
const eventsMax = 20
const textLengthMax = 128

/** Throws `XmlError`. */
export function parseOmahaRequest(text: string): OmahaRequest {
  const root = parseXml(text)
  if (root.name !== 'request') throw new XmlError('the root is no request')
  const apps = root.children.filter(({ name }) => name === 'app')
  if (apps.length > appsMax) throw new XmlError('too many apps')
  return { protocol: readText(root, 'protocol'), apps: apps.map(readApp) }
}

function readApp(app: XmlElement): OmahaApp {
  const events = app.children.filter(({ name }) => name === 'event')
  if (events.length > eventsMax) throw new XmlError('too many events')
  const has = (wanted: string) => app.children.some(({ name }) => name === wanted)
  const bootId = readText(app, 'bootid').slice(0, 64)
  return {
    // The app id is echoed, so that the client finds its answer; it is at most as long as the body.
    appId: app.attributes.get('appid') ?? '',
    version: readText(app, 'version'),
    machineId: readText(app, 'machineid'),
    bootId: /^[\x20-\x7e]+$/.test(bootId) ? bootId : null,
    hasPing: has('ping'),
    isCheck: has('updatecheck'),
    events: events.map(readEvent),
  }
}

function readEvent(event: XmlElement): OmahaEvent {
  const previous = readText(event, 'previousversion')
  return {
    type: readNumber(event, 'eventtype'),
    result: readNumber(event, 'eventresult'),
    errorCode: readErrorCode(readText(event, 'errorcode')),
    previousVersion: previous === '' || previous === '0.0.0.0' ? null : previous,
  }
}

/**
 * An error code is signed or unsigned, of 32 bits. The highest four bits are flags, one of which is
 * set by every client of a self-hosted server.
 */
function readErrorCode(text: string): number {
  if (!/^-?\d{1,19}$/.test(text)) return 0
  return Number(BigInt.asUintN(32, BigInt(text)) & 0x0fffffffn)
}

function readNumber(element: XmlElement, name: string): number {
  const text = readText(element, name)
  return /^\d{1,6}$/.test(text) ? Number(text) : -1
}

/** A value that is too long counts as absent: the app is answered all the same. */
function readText({ attributes }: XmlElement, name: string): string {
  const value = attributes.get(name) ?? ''
  return value.length > textLengthMax ? '' : value
}
