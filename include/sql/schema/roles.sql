-- The two schemas and their two roles: a loader that owns the schemas and nothing else, and a reader that may select
-- from costs, focus_costs and the history. Run once by an administrator on the database of the costs, before the first
-- load; run again, it changes nothing:
--
--     psql --dbname cloud_costs --file include/sql/schema/roles.sql
--
-- Add --set schema=… where POSTGRES_SCHEMA is set, and --set loader=… for a loader of another name, such as the role
-- that owns the tables already. The reader is always <schema>_reader. The loader grants it each view that it makes.
-- Neither role has a password until \password gives it one.

\set ON_ERROR_STOP on
\if :{?schema}
\else
\set schema cost_analytics
\endif
\if :{?loader}
\else
\set loader :schema _loader
\endif
\set staging :schema _staging
\set reader :schema _reader

begin;

select format('create role %I login', wanted.name)
from (values (:'loader'), (:'reader')) as wanted (name)
left join pg_roles as known on wanted.name = known.rolname
where known.rolname is null
\gexec

-- An administrator without superuser rights can give a schema only to a role that the administrator is a member of.
select format('grant %I to current_user', :'loader')
where not pg_has_role(:'loader', 'usage')
\gexec

create schema if not exists :"schema";
create schema if not exists :"staging";
alter schema :"schema" owner to :"loader";
alter schema :"staging" owner to :"loader";
grant usage on schema :"schema" to :"reader";
grant connect, temporary on database :"DBNAME" to :"loader";
grant connect on database :"DBNAME" to :"reader";

select format('revoke %I from current_user', :'loader')
from pg_auth_members
where
    roleid::regrole = quote_ident(:'loader')::regrole
    and member::regrole = current_user::regrole
    and grantor::regrole = current_user::regrole
\gexec

commit;
