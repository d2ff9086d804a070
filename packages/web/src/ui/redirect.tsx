/**
 * Goes to another page, once. The router’s own component goes again whenever it is rendered again,
 * which each step of its going brings about.
 */
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import type { PagePath } from '../page-paths.ts'

export function Redirect(props: { readonly to: PagePath; readonly next?: string }) {
  const { to, next } = props
  const navigate = useNavigate()
  const hasGone = useRef(false)
  useEffect(() => {
    if (hasGone.current) return
    hasGone.current = true
    void navigate({ to, search: next === undefined ? {} : { next }, replace: true })
  })
  return null
}
