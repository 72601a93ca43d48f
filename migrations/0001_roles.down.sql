-- The role stays: it belongs to the cluster, and another database may use it.
drop function simplebank.refuse_rewriting();
revoke select on simplebank.migrations from simplebank_app;
revoke usage on schema simplebank from simplebank_app;
