-- Up to $4 entries of the account $1 above the version $2 and up to $3, oldest first, with their transfers.
select e.version, e.amount as entry_amount, e.balance_after, t.id, t.kind, t.from_account_id, t.to_account_id, t.amount,
       t.currency, t.description, t.reference, t.hold_id, t.reverses_id, t.created_by, t.created_at
from simplebank.entries e
join simplebank.transfers t on t.id = e.transfer_id
where e.account_id = $1
  and e.version > $2
  and e.version <= $3
order by e.version
limit $4
