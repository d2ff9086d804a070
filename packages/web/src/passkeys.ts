/** Passkeys as the browser makes and uses them (WebAuthn), in the form of the contract. */
import type {
  CreationOptions,
  NewPasskey,
  PasskeyProof,
  RequestOptions,
} from '@seaworthy/api/ceremonies'
import { transportName } from '@seaworthy/api/ceremonies'
import { base64UrlEncode } from '@seaworthy/std/bytes'

export interface Passkeys {
  /** Throws `PasskeyError`. */
  create(options: CreationOptions): Promise<NewPasskey>
  /** Throws `PasskeyError`. */
  prove(options: RequestOptions): Promise<PasskeyProof>
}

export type PasskeyErrorCode =
  | 'passkeys_unsupported'
  | 'passkey_not_used'
  | 'passkey_known'
  | 'passkey_forbidden'
  | 'passkey_failed'

/** The browser or the authenticator gave no passkey. The message may be shown. */
export class PasskeyError extends Error {
  override readonly name = 'PasskeyError'
  readonly code: PasskeyErrorCode

  constructor(code: PasskeyErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** The part of `window` that passkeys need. */
export interface CredentialWindow {
  readonly navigator: { readonly credentials?: CredentialsContainer | undefined }
  readonly PublicKeyCredential?: typeof PublicKeyCredential | undefined
}

export function createPasskeys({ navigator, PublicKeyCredential }: CredentialWindow): Passkeys {
  const parts = () => {
    if (navigator.credentials === undefined || PublicKeyCredential === undefined) {
      throw new PasskeyError(
        'passkeys_unsupported',
        'This browser offers no passkeys at this address. Open the page by https and a host name that the certificate has, in a current browser.',
      )
    }
    return { credentials: navigator.credentials, PublicKeyCredential }
  }
  return {
    async create(options) {
      const { credentials, PublicKeyCredential: Credential } = parts()
      const made = await explained(() =>
        credentials.create({ publicKey: Credential.parseCreationOptionsFromJSON(plain(options)) }),
      )
      const { rawId, response } = made as PublicKeyCredential & {
        response: AuthenticatorAttestationResponse
      }
      const known = response.getTransports().map((name) => transportName.safeParse(name))
      return {
        id: encode(rawId),
        clientDataJSON: encode(response.clientDataJSON),
        attestationObject: encode(response.attestationObject),
        transports: known.flatMap((one) => (one.success ? [one.data] : [])),
      }
    },
    async prove(options) {
      const { credentials, PublicKeyCredential: Credential } = parts()
      const found = await explained(() =>
        credentials.get({ publicKey: Credential.parseRequestOptionsFromJSON(plain(options)) }),
      )
      const { rawId, response } = found as PublicKeyCredential & {
        response: AuthenticatorAssertionResponse
      }
      return {
        id: encode(rawId),
        clientDataJSON: encode(response.clientDataJSON),
        authenticatorData: encode(response.authenticatorData),
        signature: encode(response.signature),
      }
    },
  }
}

/** The browser's types know no member that is there and undefined; JSON has none either. */
const plain = <T>(options: T) => options as WithoutUndefined<T>
type WithoutUndefined<T> = T extends object
  ? { [K in keyof T]: WithoutUndefined<Exclude<T[K], undefined>> }
  : T

const encode = (bytes: ArrayBuffer) => base64UrlEncode(new Uint8Array(bytes))

async function explained(ask: () => Promise<Credential | null>): Promise<Credential> {
  try {
    const credential = await ask()
    if (credential !== null) return credential
  } catch (cause) {
    throw explainPasskeyFault(cause)
  }
  throw explainPasskeyFault(undefined)
}

/** What the names of the browser's exceptions mean here (WebAuthn, 5.1.3 and 5.1.4). */
export function explainPasskeyFault(cause: unknown): PasskeyError {
  const name = cause instanceof Error ? cause.name : ''
  if (name === 'NotAllowedError' || name === 'AbortError') {
    return new PasskeyError(
      'passkey_not_used',
      'No passkey was used: the prompt was closed, took too long, or found no passkey for this server. Try again.',
      { cause },
    )
  }
  if (name === 'InvalidStateError') {
    return new PasskeyError(
      'passkey_known',
      'This authenticator already has a passkey of yours. Use another one, or sign in with it.',
      { cause },
    )
  }
  if (name === 'SecurityError') {
    return new PasskeyError(
      'passkey_forbidden',
      'The browser allows no passkeys at this address. Open the page by a host name of the server, not by an IP address, with a certificate that the browser trusts.',
      { cause },
    )
  }
  return new PasskeyError(
    'passkey_failed',
    'The authenticator gave no passkey. Try again, or use another one.',
    { cause },
  )
}
