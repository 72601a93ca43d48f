//! Users.

mod change_password;
mod find;
mod register;
mod set_role;
mod verified;
mod verify_email;

pub use self::{change_password::ChangePassword, register::Register, verified::EmailVerification};
pub(crate) use self::{
    verified::Verified,
    verify_email::{code_hash, fresh_code},
};
