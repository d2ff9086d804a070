/** The three fields of a sign-in by password: to enter with it, and to choose a new one. */
import { PasswordInput, TextInput } from '@mantine/core'
import type { ChangeEvent, Dispatch, SetStateAction } from 'react'

export interface TypedPassword {
  readonly name: string
  readonly password: string
  readonly code: string
}

const words = {
  entering: {
    name: { label: 'Name' },
    password: { label: 'Password', name: 'password', autoComplete: 'current-password' },
    code: {
      label: 'Code',
      description: 'Six digits of your authenticator, or a recovery code.',
      spellCheck: false,
      maxLength: 60,
    },
  },
  choosing: {
    name: { label: 'Name for signing in' },
    password: {
      label: 'New password',
      description:
        'At least 12 characters, and hard to guess: four or more unrelated words, or what a password manager makes.',
      name: 'new-password',
      autoComplete: 'new-password',
    },
    code: { label: 'Code that the app shows', inputMode: 'numeric', maxLength: 10 },
  },
} as const

export function PasswordFields(props: {
  readonly purpose: keyof typeof words
  readonly typed: TypedPassword
  readonly onType: Dispatch<SetStateAction<TypedPassword>>
}) {
  const { purpose, typed, onType } = props
  const field = (name: keyof TypedPassword) => ({
    required: true,
    value: typed[name],
    onChange: (event: ChangeEvent<HTMLInputElement>) => {
      const { value } = event.currentTarget
      // A password manager fills several fields before they are drawn anew.
      onType((before) => ({ ...before, [name]: value }))
    },
  })
  return (
    <>
      <TextInput
        name="username"
        autoComplete="username"
        maxLength={100}
        {...words[purpose].name}
        {...field('name')}
      />
      <PasswordInput maxLength={128} {...words[purpose].password} {...field('password')} />
      <TextInput
        name="code"
        autoComplete="one-time-code"
        {...words[purpose].code}
        {...field('code')}
      />
    </>
  )
}
