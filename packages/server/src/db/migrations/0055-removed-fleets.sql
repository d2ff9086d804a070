-- A fleet that was removed keeps its row: what names it in signed documents and in history means
-- that fleet for ever, so that no other fleet may have its name.
alter table fleets add column removed_at timestamptz;
