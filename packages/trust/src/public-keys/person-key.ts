/** A public key of a person, judged. */
export interface PersonKey {
  readonly kind: 'ssh' | 'openpgp'
  /** Such as `ssh-ed25519`, `ecdsa-sha2-nistp256` or `rsa4096`. */
  readonly algorithm: string
  /** What `ssh-keygen -l` or `gpg --fingerprint` shows, without spaces. */
  readonly fingerprint: string
  /** The key in the one form in which it is kept: without comment, options and headers. */
  readonly publicKey: string
}
