/** What the server itself says no to, beyond the rules of `fleet` and `trust`. */
export type ServerRefusal =
  | 'not_initialized'
  | 'trust_unavailable'
  | 'product_not_found'
  | 'proposal_not_found'
  | 'proposal_exists'
  | 'proposal_closed'
  | 'online_keys_not_named'
  | 'token_not_found'
  | 'unavailable'
  | 'log_unavailable'
