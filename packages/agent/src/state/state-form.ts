/**
 * The form of a stored device state, member by member: a state that another version or a mistaken
 * hand wrote is not used.
 */
import { isKeyFile } from './identity.ts'

type Form = (value: unknown) => boolean

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isCounter: Form = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const isCounters: Form = (value) => isObject(value) && Object.values(value).every(isCounter)
const isText: Form = (value) => typeof value === 'string'
const isDigest: Form = (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
const isNullOr =
  (isForm: Form): Form =>
  (value) =>
    value === null || isForm(value)
const isListOf =
  (isForm: Form): Form =>
  (value) =>
    Array.isArray(value) && value.every(isForm)

const isRelease: Form = (value) =>
  isObject(value) &&
  isText(value['targetPath']) &&
  isText(value['version']) &&
  isDigest(value['sha256']) &&
  isCounter(value['counter']) &&
  isCounter(value['floor'])

const isReason: Form = (value) => value === undefined || isText(value)
const isOutput: Form = (value) => value === undefined || isListOf(isText)(value)

const isUpdate: Form = (value) =>
  isObject(value) &&
  (value['phase'] === 'trial' || value['phase'] === 'undo') &&
  isRelease(value['release']) &&
  isCounter(value['starts']) &&
  isReason(value['reason']) &&
  isOutput(value['output'])

const isFailure: Form = (value) =>
  isObject(value) &&
  isDigest(value['sha256']) &&
  isText(value['code']) &&
  isReason(value['reason']) &&
  isOutput(value['output'])

const isAppSettingsFile: Form = (value) =>
  value === 'configuration.json' || value === 'configuration-2.json'

const isAppSettingsTrial: Form = (value) =>
  isObject(value) &&
  (value['phase'] === 'trial' || value['phase'] === 'undo') &&
  isCounter(value['version']) &&
  isDigest(value['digest']) &&
  isCounter(value['starts']) &&
  (value['code'] === undefined || isText(value['code']))

const isFailedAppSettings: Form = (value) =>
  isObject(value) &&
  isCounter(value['version']) &&
  isDigest(value['digest']) &&
  isNullOr(isDigest)(value['release']) &&
  isText(value['code'])

const isAppSettings: Form = (value) =>
  isObject(value) &&
  isAppSettingsFile(value['file']) &&
  isNullOr(isCounter)(value['version']) &&
  isNullOr(isAppSettingsTrial)(value['trial']) &&
  isNullOr(isFailedAppSettings)(value['failed'])

const forms = {
  deviceId: isNullOr(isText),
  keyFile: isKeyFile,
  registeredWith: isNullOr(isText),
  spentKeys: isListOf(isText),
  removedAt: isNullOr(isText),
  former: isNullOr(
    (value) => isObject(value) && isText(value['deviceId']) && isKeyFile(value['keyFile']),
  ),
  committed: isNullOr(isRelease),
  fallback: isNullOr(isRelease),
  committedCounter: isCounter,
  floor: isCounter,
  channelFloors: isCounters,
  staged: isNullOr(isRelease),
  update: isNullOr(isUpdate),
  failure: isNullOr(isFailure),
  outcome: isNullOr((value) => isObject(value) && isText(value['targetPath'])),
  failed: isListOf(
    (item) =>
      isObject(item) &&
      isDigest(item['sha256']) &&
      isCounter(item['counter']) &&
      (item['times'] === undefined || isCounter(item['times'])),
  ),
  refusals: isListOf((item) => isObject(item) && isText(item['code'])),
  metadata: isCounters,
  timestampVerifiedAt: isNullOr(isText),
  configuration: isAppSettings,
  secretVersions: isCounters,
  sequence: isCounter,
  outbox: isListOf(
    (item) =>
      isObject(item) &&
      isCounter(item['sequence']) &&
      isObject(item['report']) &&
      isText(item['signature']),
  ),
}

type StateMember = keyof typeof forms

/**
 * The first member that is not of its form, or `undefined`. `Member` is each member of the state:
 * one without a form does not compile.
 */
export function findStateFault<Member extends StateMember>(
  state: Readonly<Record<Member | StateMember, unknown>>,
): string | undefined {
  return (Object.keys(forms) as StateMember[]).find((name) => !forms[name](state[name]))
}
