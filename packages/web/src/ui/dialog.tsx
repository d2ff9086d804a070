/**
 * A dialog of the browser itself: it holds the focus, makes the page behind it inert, and closes
 * with Escape.
 */
import { Title } from '@mantine/core'
import type { ReactNode } from 'react'
import { useEffect, useId, useRef } from 'react'
import classes from './dialog.module.css'

export function Dialog(props: {
  readonly title: string
  readonly onClose: () => void
  readonly children: ReactNode
}) {
  const { title, onClose, children } = props
  const element = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  useEffect(() => {
    const dialog = element.current
    dialog?.showModal()
    return () => dialog?.close()
  }, [])
  return (
    <dialog
      ref={element}
      className={classes['dialog']}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
    >
      <Title order={2} size="h3" id={titleId} className={classes['title']}>
        {title}
      </Title>
      {children}
    </dialog>
  )
}
