/** The tables of `peer.fixture.ts`, filled, in a schema of their own beside the server's. */
import type { TestServer } from '@seaworthy/server/testing'

export const peerInstances = 1000

const tables = `
create schema peer;
create table peer.groups (id uuid primary key, name text, application_id uuid, channel_id uuid, policy_updates_enabled bool, policy_max_updates_per_period int, policy_period_interval text, created_ts timestamptz default now());
create table peer.group_local (group_id uuid primary key, track text);
create table peer.channel (id uuid primary key, name text, color text, application_id uuid, package_id uuid, arch int);
create table peer.package (id uuid primary key, type int, version text, url text, filename text, size text, hash text, created_ts timestamptz default now());
create table peer.package_channel_blacklist (package_id uuid, channel_id uuid, primary key (package_id, channel_id));
create table peer.flatcar_action (id uuid primary key, package_id uuid unique, event text, sha256 text, is_delta bool);
create table peer.package_file (id serial primary key, package_id uuid, name text, size text, hash text);
create index on peer.package_file (package_id);
create table peer.instance (id text primary key, ip inet, alias text, created_ts timestamptz default now());
create table peer.instance_application (instance_id text references peer.instance, application_id uuid, group_id uuid, version text, status int, last_check_for_updates timestamptz, primary key (instance_id, application_id));
insert into peer.groups values ('5b810680-e36a-4879-b98a-4f989e80b899', 'stable', 'e96281a6-d1af-4bde-9a0a-97b76e56dc57', '5b810680-e36a-4879-b98a-4f989e80b899', true, 10, '15 minutes');
insert into peer.group_local values ('5b810680-e36a-4879-b98a-4f989e80b899', 'stable');
insert into peer.channel values ('5b810680-e36a-4879-b98a-4f989e80b899', 'stable', '#14b9d6', 'e96281a6-d1af-4bde-9a0a-97b76e56dc57', '5b810680-e36a-4879-b98a-4f989e80b899', 1);
insert into peer.package values ('5b810680-e36a-4879-b98a-4f989e80b899', 1, '1.0.0', 'https://example.org/', 'update.gz', '400000000', 'aGFzaA==');
insert into peer.flatcar_action values ('5b810680-e36a-4879-b98a-4f989e80b899', '5b810680-e36a-4879-b98a-4f989e80b899', 'postinstall', 'aGFzaA==', false);
insert into peer.package_file (package_id, name, size, hash) values ('5b810680-e36a-4879-b98a-4f989e80b899', 'extra.raw', '1000', 'aGFzaA==');
insert into peer.instance select 'machine-' || n, '10.0.0.1', '' from generate_series(0, ${peerInstances - 1}) n;
insert into peer.instance_application select id, 'e96281a6-d1af-4bde-9a0a-97b76e56dc57', '5b810680-e36a-4879-b98a-4f989e80b899', '1.0.0', 4, now() from peer.instance;
analyze peer.groups, peer.channel, peer.package, peer.instance, peer.instance_application;
`

export async function addPeerTables(server: TestServer): Promise<void> {
  const db = server.openDatabase()
  try {
    await db.write(({ sql }) => sql.unsafe(tables))
  } finally {
    await db.close()
  }
}
