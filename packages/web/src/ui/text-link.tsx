/** A link to another page in running text or in a cell. */
import { createLink } from '@tanstack/react-router'
import type { AnchorHTMLAttributes, Ref } from 'react'
import classes from './page.module.css'

function LinkText(
  props: AnchorHTMLAttributes<HTMLAnchorElement> & { readonly ref?: Ref<HTMLAnchorElement> },
) {
  return <a {...props} className={classes['link']} />
}

export const TextLink = createLink(LinkText)
