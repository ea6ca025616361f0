//! What services of Amazon write: load balancers, S3, and the flow logs of networks. Each is read by the
//! places of its values; what a service has appended since is for the message.

mod elb;
mod s3;
#[cfg(test)]
mod tests;
mod vpc_flow;

pub use elb::ElbParser;
pub use s3::S3Parser;
pub use vpc_flow::{VpcFlowParser, is_header as is_vpc_header};

use jiff::tz::TimeZone;

use super::List;
use super::access::plan::{Row, What};
use super::access::present;
use super::time::{Calendar, TimeRule};
use super::words::Values;

/// Times in `form`, which are of UTC whatever they say.
fn times(form: &str) -> TimeRule {
    // Each form is one, as the tests see.
    TimeRule::of_form(form, Some(TimeZone::UTC)).unwrap_or_default()
}

fn text(name: &'static str) -> What {
    What::Text(name.into())
}

fn number(name: &'static str) -> What {
    What::Number(name.into())
}

/// Adds values by their places.
fn put_all<'a>(
    columns: &'a [What],
    values: &Values<'a>,
    calendar: &mut Calendar,
    row: &mut Row<'a>,
    others: &mut List<'a>,
) {
    for (column, value) in columns.iter().zip(values.list()) {
        // A timer is -1 where it did not come to that.
        let Some(value) = present(value).filter(|value| *value != b"-1") else { continue };
        if let Err(problem) = column.put(calendar, value, row, others) {
            row.problem = row.problem.or(Some(problem));
        }
    }
    row.fields.more |= values.list().len() > columns.len() || !values.rest.is_empty();
}
