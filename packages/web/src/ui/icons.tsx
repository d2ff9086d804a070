/** Pictures beside words; they say nothing of their own. */

const paths = {
  account: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-8 9a8 8 0 0 1 16 0',
  approvals: 'M20 6 9 17l-5-5',
  brand: 'M12 3v10M12 4l6 8h-6M11 7l-4 6h4M3 15h18l-2.5 5h-13Z',
  close: 'M5 5l14 14M19 5 5 19',
  credentials: 'M4 10h16v10H4ZM8 10V7a4 4 0 0 1 8 0v3M12 14v3',
  dark: 'M20 14.5A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.5 10.5Z',
  devices: 'M5 5h14v10H5ZM9 19h6M12 15v4',
  fleets: 'M4 5h7v6H4Zm9 0h7v6h-7ZM4 13h7v6H4Zm9 0h7v6h-7Z',
  guide: 'M6 21V4h11l-2 4 2 4H6',
  light:
    'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Zm0-6v3m0 14v3M2 12h3m14 0h3M5 5l2 2m10 10 2 2M5 19l2-2M17 7l2-2',
  log: 'M5 4h14v16H5ZM8 8h8M8 12h8M8 16h5',
  menu: 'M4 6h16M4 12h16M4 18h16',
  overview: 'M4 4h7v7H4Zm9 0h7v4h-7Zm0 7h7v9h-7Zm-9 3h7v6H4Z',
  people:
    'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Zm-6.5 9a6.5 6.5 0 0 1 13 0M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14a6.5 6.5 0 0 1 3.5 6',
  proposals: 'M6 3h9l4 4v14H6ZM9 12h7M9 16h7',
  releases: 'M12 3 4 7v10l8 4 8-4V7ZM4 7l8 4 8-4M12 11v10',
  rollouts: 'M3 18h4v3H3Zm6-5h4v8H9Zm6-6h4v14h-4ZM4 12 17 3',
  tokens: 'M8 20a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm3-7 9-9m-4 4 3 3',
  trust: 'M12 3 5 6v6c0 4 3 7 7 9 4-2 7-5 7-9V6ZM9 12l2 2 4-4',
} as const

export type IconName = keyof typeof paths

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg
      viewBox="0 0 24 24"
      width="20"
      height="20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.75"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={paths[name]} />
    </svg>
  )
}
