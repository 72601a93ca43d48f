//! Users.

mod find;
mod register;
mod set_role;

pub use self::register::Register;
