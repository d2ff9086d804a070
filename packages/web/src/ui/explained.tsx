/** Why an action failed, shown where it was tried. Screen readers announce it. */
import { Alert } from '@mantine/core'
import { explain } from '../explanations.ts'

export function ErrorAlert({ error }: { readonly error: unknown }) {
  if (error === null || error === undefined) return null
  const { title, sentence, code } = explain(error)
  return (
    <Alert color="red" variant="light" title={title} role="alert" data-code={code}>
      {sentence}
    </Alert>
  )
}
