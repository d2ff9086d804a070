/** Why a device is not accepted as enrolled. */
import { trustErrorsOf } from '@seaworthy/std/refusal'

export type EnrolmentCode =
  | 'enrolment_malformed'
  /** Fewer holders of the product's keys than its threshold have signed the provisioning key. */
  | 'enrolment_not_by_holders'
  /** The holders signed the provisioning key for another fleet. */
  | 'enrolment_wrong_fleet'
  /** The provisioning key has not signed these keys of the device. */
  | 'enrolment_keys_differ'

export const enrolmentError = trustErrorsOf<EnrolmentCode>()
