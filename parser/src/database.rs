//! Logs of databases: `PostgreSQL` (text by `log_line_prefix`, and CSV), and the error log and the slow log of
//! `MySQL` and `MariaDB`.

mod mysql;
mod postgresql;
#[cfg(test)]
mod tests;

pub use mysql::{MysqlErrorParser, MysqlSlowParser};
pub use postgresql::{PostgresqlParser, Prefix};
