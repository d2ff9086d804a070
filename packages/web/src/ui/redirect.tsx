/**
 * Goes to another page, once. The router’s own component navigates again at each render, and its
 * navigation causes renders.
 */
import { useRouter } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'

/** `to` is an address of a page of ours, with its search part if it has one. */
export function Redirect({ to }: { readonly to: string }) {
  const { history } = useRouter()
  const hasGone = useRef(false)
  useEffect(() => {
    if (hasGone.current) return
    hasGone.current = true
    history.replace(to)
  })
  return null
}
