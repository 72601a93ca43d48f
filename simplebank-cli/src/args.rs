//! What can be asked on the command line. Texts become types here, and nobody checks them again.

mod audit;
mod holds;
mod import;
mod jobs;
mod limits;
mod statement;
mod token;

use clap::{
    Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, builder::ArgAction,
};
use clap_complete::Shell;
use simplebank::{
    Page, PageLimit,
    core::{
        self, AccountId, Amount, Currency, IdempotencyKey, Instant, Role,
        memo::{Description, Reference},
        user::{Email, FullName, Username},
    },
    mail::MailArgs,
};
use simplebank_localpg::DatabaseArgs;

pub(crate) use self::{
    audit::{Audit, AuditFormat},
    holds::{Hold, HoldHistory, PlaceHold, Reverse},
    import::{FileFormat, Import, KeyPrefix},
    jobs::{Job, JobOf},
    limits::Limits,
    statement::{StatementFormat, StatementOf, TransferHistory},
    token::{KeyKind, Token},
};
use self::{import::IMPORT_HELP, jobs::WORKER_HELP, statement::STATEMENT_HELP};
use crate::{exit::Failure, output::Format};

const AFTER_HELP: &str = "\
Environment:
  DATABASE_URL, DB_SOURCE  the database, as --database-url and --db-source
  SIMPLEBANK_DATA_DIR      the directory for everything that is kept, as --data-dir
  SIMPLEBANK_PG_BIN        where the programs of a local PostgreSQL are, if they are not found
  SIMPLEBANK_PASSWORD      the password for `user create`

Exit codes:
  0   done
  1   the bank said no, or there is no such thing, or `verify` or `doctor` found something
  2   wrong usage or settings; the database is unreachable or not migrated
  3   unavailable, overloaded, or outcome unknown: repeat the command, with the same --key
  70  internal error

Answers go to stdout, everything else to stderr. With --json an answer is one JSON document, and every line on stderr is \
one too: an error is {\"code\", \"message\"}, with \"hint\" and \"idempotency_key\" where there is one.";

const MONEY_HELP: &str = "\
Money moves exactly once under each key, and repeating a command with its key gives the same answer. Without --key a \
fresh random key is made before the attempt and printed to stderr: if the outcome stays unknown, because of exit code 3, a \
crash or a lost connection, repeat the same command with --key and that key. A refusal is an answer too and stays under \
its key; to ask again later, use another one.";

/// The command line of a simplebank: users, accounts, money and the database below them.
#[derive(Debug, Parser)]
#[command(name = "simplebank", version, after_help = AFTER_HELP, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// Answers as one JSON document, for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// How answers are to be written.
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Table }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes, changes and removes the tables in the database.
    #[command(subcommand)]
    Migrate(Migrate),
    /// Creates, lists, promotes and freezes users.
    #[command(subcommand)]
    User(User),
    /// Opens, lists, shows, limits, freezes and closes accounts.
    #[command(subcommand)]
    Account(Account),
    /// Takes cash in, to a customer's account.
    #[command(after_help = MONEY_HELP)]
    Deposit(Cash),
    /// Pays cash out, from a customer's account.
    #[command(after_help = MONEY_HELP)]
    Withdraw(Cash),
    /// Moves money from one customer's account to another.
    #[command(after_help = MONEY_HELP)]
    Transfer(Transfer),
    /// Makes many transfers from a CSV or JSON lines file of any size, each exactly once.
    #[command(after_help = IMPORT_HELP)]
    Import(Import),
    /// Promises money, moves what was promised, or lets it go.
    #[command(subcommand)]
    Hold(Hold),
    /// Gives back what a transfer moved, in full or in part, by a new transfer.
    #[command(after_help = MONEY_HELP)]
    Reverse(Reverse),
    /// Lists what changed an account's balance, newest first.
    Entries(History),
    /// Lists the transfers from and to an account, newest first.
    Transfers(TransferHistory),
    /// Shows what happened to an account in a period, oldest first, with the balances before and after.
    #[command(after_help = STATEMENT_HELP)]
    Statement(StatementOf),
    /// Lists jobs such as mails to be sent, tries dead letters again, gives jobs up.
    #[command(subcommand)]
    Job(Job),
    /// Does the bank's jobs, such as sending mails, until it is stopped.
    #[command(after_help = WORKER_HELP)]
    Worker(MailArgs),
    /// Lists who logged in, who was refused, and what was done for the bank, newest first.
    Audit(Audit),
    /// Checks the whole ledger, as it is at one moment, against the invariants I1 to I5, I11 and I12.
    ///
    /// The bank can be used meanwhile. Exits with 1 and the first bad row if a promise is broken.
    Verify,
    /// Tells how the database is reached and set up, and what to do where something is wrong.
    ///
    /// Exits with 1 if something is wrong, and with 2 if the database can't be reached.
    Doctor {
        /// Instead, lists who waits for whose lock in this database, now, and exits with 0.
        ///
        /// Of sessions of other logins only an administrator, or a member of pg_read_all_stats, sees more than the process.
        /// Statements are cut after 80 characters; values written into them, rather than sent apart, are shown.
        #[arg(long)]
        locks: bool,
    },
    /// Makes and shows keys for the tokens of a server.
    #[command(subcommand)]
    Token(Token),
    /// Prints a script that completes commands in a shell.
    Completions {
        /// The shell.
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Migrate {
    /// Applies what is missing; does nothing if the database is up to date.
    Up,
    /// Takes migrations back. THE DATA IN THEIR TABLES IS LOST.
    Down {
        /// The version to go back to; 0 takes back everything.
        #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(i64).range(0..), allow_negative_numbers = true)]
        to: i64,
        /// Destroys the data without asking; without this, the command only says what would be lost.
        #[arg(long)]
        yes: bool,
    },
    /// Lists all migrations and whether the database has them.
    Status,
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Creates a depositor.
    ///
    /// The password comes from standard input with --password-stdin, otherwise from the variable SIMPLEBANK_PASSWORD,
    /// otherwise from the terminal, typed twice without echo. It is never an argument, since other users of the machine
    /// can read those.
    Create {
        /// The login name: 3 to 32 of a-z, 0-9 and _, beginning with a letter.
        #[arg(long, value_name = "USERNAME")]
        username: Username,
        /// What the user is called.
        #[arg(long, value_name = "NAME")]
        full_name: FullName,
        /// The e-mail address.
        #[arg(long, value_name = "ADDRESS")]
        email: Email,
        /// Reads the password from standard input, to its end; one line break at the end doesn't count.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Lists all users.
    List,
    /// Makes a user a depositor or a banker, from their next request on.
    SetRole {
        /// Whose role.
        #[arg(value_name = "USERNAME")]
        username: Username,
        /// Which role: depositor or banker.
        #[arg(value_name = "ROLE")]
        role: Role,
    },
    /// Keeps a user from logging in, and ends their sessions at once. Their accounts can still be paid into.
    Freeze {
        /// Who.
        #[arg(value_name = "USERNAME")]
        username: Username,
    },
    /// Lets a frozen user log in again.
    Unfreeze {
        /// Who.
        #[arg(value_name = "USERNAME")]
        username: Username,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Opens an account with nothing in it.
    Open {
        /// Whose account.
        #[arg(long, value_name = "USERNAME")]
        owner: Username,
        /// Its currency: an ISO 4217 code such as EUR.
        #[arg(long, value_name = "CURRENCY")]
        currency: Currency,
    },
    /// Lists the accounts of all customers, or of one.
    List {
        /// Only the accounts of this user.
        #[arg(long, value_name = "USERNAME")]
        owner: Option<Username>,
    },
    /// Shows one account.
    Show {
        /// The account's id.
        #[arg(value_name = "ACCOUNT")]
        id: AccountId,
    },
    /// Shows what an account held at some moment.
    Balance {
        /// The account's id.
        #[arg(value_name = "ACCOUNT")]
        id: AccountId,
        /// The moment: a time such as 2026-11-20T08:00:00Z, or a date for midnight in UTC.
        #[arg(long, value_name = "TIME")]
        at: Instant,
    },
    /// Freezes an account: it neither pays nor receives.
    Freeze {
        /// The account's id.
        #[arg(value_name = "ACCOUNT")]
        id: AccountId,
    },
    /// Opens a frozen account again.
    Unfreeze {
        /// The account's id.
        #[arg(value_name = "ACCOUNT")]
        id: AccountId,
    },
    /// Sets how far an account may be overdrawn, and how much may go out of it.
    ///
    /// A limit that is not named stays as it is. They hold from the account's next transfer on.
    Limits(Limits),
    /// Closes an account for good; its balance must be zero, and nothing promised by it or to it.
    Close {
        /// The account's id.
        #[arg(value_name = "ACCOUNT")]
        id: AccountId,
    },
}

/// Cash that comes in or goes out.
#[derive(Debug, Args)]
pub(crate) struct Cash {
    /// The customer's account.
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: AccountId,
    #[command(flatten)]
    pub(crate) money: Money,
    #[command(flatten)]
    pub(crate) memo: Memo,
    #[command(flatten)]
    pub(crate) key: Key,
}

/// Money from one customer to another.
#[derive(Debug, Args)]
pub(crate) struct Transfer {
    /// The account that pays.
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) from: AccountId,
    /// The account that is paid.
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) to: AccountId,
    #[command(flatten)]
    pub(crate) money: Money,
    #[command(flatten)]
    pub(crate) memo: Memo,
    #[command(flatten)]
    pub(crate) key: Key,
}

/// An amount, which only its currency can judge.
#[derive(Debug, Args)]
pub(crate) struct Money {
    /// How much, such as 12.50: with at most as many decimal places as the currency has.
    // Negative ones are let through to be refused as amounts, not as unknown options.
    #[arg(value_name = "AMOUNT", allow_negative_numbers = true)]
    amount: String,
    /// In which currency: an ISO 4217 code such as EUR.
    #[arg(value_name = "CURRENCY")]
    pub(crate) currency: Currency,
}

impl Money {
    /// The amount.
    pub(crate) fn amount(&self) -> Result<Amount, Failure> {
        Amount::parse(&self.amount, self.currency)
            .map_err(|reason| Failure::value("<AMOUNT>", &self.amount, reason))
    }
}

/// What a payment says about itself.
#[derive(Debug, Args)]
pub(crate) struct Memo {
    /// What it is about, for people: 1 to 200 characters.
    #[arg(long, value_name = "TEXT")]
    description: Option<Description>,
    /// What another system calls it: 1 to 64 visible ASCII characters.
    #[arg(long, value_name = "REFERENCE")]
    reference: Option<Reference>,
}

impl From<Memo> for core::Memo {
    fn from(Memo { description, reference }: Memo) -> Self {
        Self { description, reference }
    }
}

/// The name of a wish, and whether it is to happen.
#[derive(Debug, Args)]
pub(crate) struct Key {
    /// The key under which this happens once: 1 to 255 visible ASCII characters [default: a fresh one, printed to stderr].
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) given: Option<IdempotencyKey>,
    /// Only tries it out: the same answer, and nothing is written.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Which part of an account's history.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// The account.
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: AccountId,
    /// How many to list: 1 to 100.
    #[arg(long, value_name = "NUMBER", default_value_t)]
    limit: PageLimit,
    /// Only what is older than the account's entry of this version: `next_cursor` of the page before.
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(i64).range(1..), allow_negative_numbers = true)]
    pub(crate) before: Option<i64>,
    /// Lists all, to the first.
    #[arg(long, conflicts_with = "limit", action = ArgAction::SetTrue)]
    pub(crate) all: bool,
}

impl History {
    /// The one page that is wanted.
    pub(crate) const fn page(&self) -> Page<i64> {
        Page { cursor: self.before, limit: self.limit }
    }
}

/// The program's arguments, or what is wrong with them and how to say so.
pub(crate) fn parse() -> Result<Arguments, (clap::Error, Format)> {
    let matches = command().try_get_matches();
    matches.and_then(|matches| Arguments::from_arg_matches(&matches)).map_err(|error| {
        // Nothing was parsed, so what was asked for is looked up by hand.
        let is_json = std::env::args_os()
            .take_while(|argument| argument != "--")
            .any(|argument| argument == "--json");
        (error, if is_json { Format::Json } else { Format::Table })
    })
}

/// The commands, with the settings that all of them share accepted behind each of them too.
pub(crate) fn command() -> clap::Command {
    Arguments::command().mut_args(|argument| argument.global(true))
}
