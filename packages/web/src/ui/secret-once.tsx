/** A secret that is shown once, to be copied now. */
import { Button, Code, CopyButton, Group, Stack, Text } from '@mantine/core'
import { Dialog } from './dialog.tsx'

export function SecretOnce(props: {
  readonly title: string
  readonly about: string
  readonly secret: string
  readonly onClose: () => void
}) {
  const { title, about, secret, onClose } = props
  return (
    <Dialog title={title} onClose={onClose}>
      <Stack>
        <Text>{about}</Text>
        <Code block tabIndex={0} aria-label={title}>
          {secret}
        </Code>
        <Group justify="flex-end">
          <CopyButton value={secret}>
            {({ copied, copy }) => (
              <Button variant="default" onClick={copy}>
                {copied ? 'Copied' : 'Copy'}
              </Button>
            )}
          </CopyButton>
          <Button onClick={onClose}>I have kept it</Button>
        </Group>
      </Stack>
    </Dialog>
  )
}
