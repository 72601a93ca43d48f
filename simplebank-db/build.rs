//! Statements are checked at compile time against the recorded answers in `.sqlx`, never against whatever database
//! `DATABASE_URL` names: whoever embeds this crate has their own. `.ci/prepare` sets the variable below to record anew.

fn main() {
    println!("cargo::rerun-if-env-changed=SIMPLEBANK_SQLX_PREPARE");
    println!("cargo::rerun-if-changed=../migrations");
    println!("cargo::rerun-if-changed=.sqlx");
    if std::env::var_os("SIMPLEBANK_SQLX_PREPARE").is_none() {
        println!("cargo::rustc-env=SQLX_OFFLINE=true");
    }
}
