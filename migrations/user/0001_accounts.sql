-- Accounts, roles and sessions. Time is milliseconds UTC.
create table user_account (
  id text primary key,
  email text not null unique,
  name text not null,
  password_hash text not null,
  created_at bigint not null,
  updated_at bigint not null
);

-- permissions are separated by spaces: "orders:read products:write".
create table user_role (
  name text primary key,
  permissions text not null
);

create table user_account_role (
  user_id text not null references user_account (id),
  role text not null references user_role (name),
  primary key (user_id, role)
);

-- id is the hash of what the browser holds.
create table user_session (
  id text primary key,
  user_id text not null references user_account (id),
  created_at bigint not null,
  expires_at bigint not null
);
create index user_session_by_user on user_session (user_id);
create index user_session_by_expiry on user_session (expires_at);

-- Tries at one account since since_at, whether the account exists or not.
create table user_login_attempt (
  email text primary key,
  since_at bigint not null,
  tries bigint not null
);
create index user_login_attempt_by_age on user_login_attempt (since_at);
