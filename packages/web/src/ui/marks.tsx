/** Short texts with a colour, which say the same without it. */
import { Badge, Group } from '@mantine/core'
import type { Mark } from '../device-words.ts'

export function Marks({ marks }: { readonly marks: readonly Mark[] }) {
  return (
    <Group gap="xs">
      {marks.map(({ text, tone, title }) => (
        <Badge key={text} color={tone} {...(title === undefined ? {} : { title })}>
          {text}
        </Badge>
      ))}
    </Group>
  )
}
