use std::sync::Arc;

use super::*;

fn money(source: Error) -> Failure {
    Failure::Money { key: "k-1".parse().unwrap(), source }
}

#[test]
fn an_unknown_outcome_is_to_be_repeated_with_its_key() {
    let lost = || sqlx::Error::WorkerCrashed;
    for (error, code) in [
        (db::Error::CommitUnknown(lost()), "outcome_unknown"),
        (db::Error::Unavailable(lost()), "unavailable"),
        (db::Error::Overload(lost()), "overloaded"),
    ] {
        let failure = money(error.into());
        assert_eq!((failure.exit(), failure.code()), (Code::Again, code));
        assert!(failure.hint().unwrap().contains("--key k-1"), "{failure:?}");
    }
}

#[test]
fn each_kind_of_error_has_its_exit_code() {
    let not_migrated = || db::Error::NotMigrated(sqlx::Error::RowNotFound);
    let defect = || db::Error::Other(sqlx::Error::RowNotFound);
    let shared = |error: db::Error| Error::Shared(Arc::new(error.into()));
    let member = |error: Error| Error::Member { index: 1, error: Box::new(error) };
    for (error, code) in [
        (Error::Overloaded, Code::Again),
        (Error::Unanswered, Code::Again),
        (shared(db::Error::CommitUnknown(sqlx::Error::WorkerCrashed)), Code::Again),
        (shared(not_migrated()), Code::Setup),
        (shared(defect()), Code::Internal),
        (member(Rejection::SameAccount.into()), Code::No),
        (member(Error::KeyReused), Code::No),
        (Error::invalid("amount", "is odd"), Code::Setup),
        (not_migrated().into(), Code::Setup),
        (Error::Forbidden, Code::No),
        (Error::NotFound { what: "user" }, Code::No),
        (Error::KeyReused, Code::No),
        (Rejection::SameAccount.into(), Code::No),
        (Error::TooMany, Code::Again),
        (defect().into(), Code::Internal),
    ] {
        assert_eq!(Failure::from(error).exit(), code);
    }
}

#[test]
fn the_codes_of_the_command_line_are_documented_with_their_exit_codes() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md"));
    let (_, section) = page.split_once("## Only on the command line").unwrap();
    let (database, lost) = (String::new(), || db::Error::Unavailable(sqlx::Error::WorkerCrashed));
    let failures = [
        Failure::WouldDestroy { lost: String::new() },
        Failure::Connect { database: database.clone(), source: lost() },
        Failure::NotMigrated { database, has: String::new() },
        Failure::Migrations(lost()),
        Failure::Output(io::ErrorKind::StorageFull.into()),
    ];
    for failure in &failures {
        let exit = match failure.exit() {
            Code::Setup => 2,
            Code::Again => 3,
            Code::Done | Code::No | Code::Internal => panic!("{failure:?}"),
        };
        assert!(section.contains(&format!("| `{}` | {exit} |", failure.code())), "{failure:?}");
    }
    assert_eq!(section.matches("| `").count(), failures.len());
}

#[test]
fn a_cause_that_only_repeats_is_not_told_twice() {
    let error = Error::from(db::Error::Unavailable(sqlx::Error::WorkerCrashed));
    let text = with_sources(&error);
    assert_eq!(text.matches("the database is unavailable").count(), 1, "{text}");
    assert!(text.starts_with("database: "), "{text}");
}
